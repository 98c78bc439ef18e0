//! What is loaded at the start and again every ten minutes (spec: faf-lifecycle 17).
//!
//! Failing keeps what was loaded before. Until it has succeeded once it is tried again soon: nobody can host before.

use std::time::Duration;

/// Minutes of the clock that are divisible by this are the time for a refresh.
const INTERVAL_S: f64 = 600.0;
/// Between two attempts until the first success.
const RETRY: Duration = Duration::from_secs(5);

/// Refreshes for ever. `clock` tells Unix seconds, `refresh` whether it succeeded, and `loaded` whether it has once.
pub async fn keep_fresh(
    clock: impl Fn() -> f64,
    mut loaded: bool,
    mut refresh: impl AsyncFnMut() -> bool,
) {
    while !loaded {
        tokio::time::sleep(RETRY).await;
        loaded = refresh().await;
    }
    loop {
        tokio::time::sleep(until_next(clock())).await;
        refresh().await;
    }
}

/// From a moment to the next minute divisible by ten. Never zero, so that a timer that fires a little early does not
/// refresh twice.
fn until_next(unix_s: f64) -> Duration {
    let wait = INTERVAL_S - unix_s.rem_euclid(INTERVAL_S);
    Duration::from_secs_f64(if wait < 1.0 { wait + INTERVAL_S } else { wait })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use tokio::time::Instant;

    use super::*;

    /// Seconds of the clock at which it was refreshed, from `start` on, where the first `failures` failed.
    async fn refreshed(start: f64, failures: usize, wanted: usize) -> Vec<u64> {
        let begun = Instant::now();
        let now = move || start + begun.elapsed().as_secs_f64();
        let times = Rc::new(RefCell::new(Vec::new()));
        let noted = times.clone();
        let refresh = async move || {
            noted.borrow_mut().push(now().round() as u64);
            noted.borrow().len() >= failures
        };
        let enough = async {
            while times.borrow().len() < wanted {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = keep_fresh(now, failures == 0, refresh) => unreachable!("it goes on for ever"),
            () = enough => {}
        }
        times.take()
    }

    #[tokio::test(start_paused = true)]
    async fn at_every_minute_divisible_by_ten() {
        assert_eq!(refreshed(3_725.0, 0, 3).await, [4_200, 4_800, 5_400]);
    }

    #[tokio::test(start_paused = true)]
    async fn soon_again_until_the_first_success() {
        assert_eq!(refreshed(1_000.0, 3, 4).await, [1_005, 1_010, 1_015, 1_200]);
    }

    #[test]
    fn a_timer_that_is_early_does_not_refresh_twice() {
        assert_eq!(until_next(1_199.5), Duration::from_secs_f64(600.5));
        assert_eq!(until_next(1_200.0), Duration::from_secs(600));
    }
}
