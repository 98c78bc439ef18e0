//! Work on the disk, on threads that may wait for it, so that a disk that hangs holds up nothing but what needs it.

use std::{io, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

/// A disk that has not done something after this time hangs. Whoever needs it goes on without, or tries again.
const DEADLINE: Duration = Duration::from_secs(5);

/// Places for work on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) places: Arc<Semaphore>,
}

impl Disk {
    /// With so many threads that wait for it at one time, hanging or not.
    pub(crate) fn with_places(places: usize) -> Self {
        Disk {
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// Does some work. What hangs keeps its place until it no longer does.
    ///
    /// # Errors
    /// The work's; or it took too long.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let whole = async {
            let place = self.places.clone().acquire_owned().await;
            let place = place.map_err(io::Error::other)?;
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                work()
            });
            work.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(DEADLINE, whole)
            .await
            .unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }
}
