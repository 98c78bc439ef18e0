//! The thread that writes log lines, and the bounded queue to it. Only this thread ever waits for whoever reads the log.

use std::{
    io::{self, ErrorKind, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crossbeam::queue::ArrayQueue;

use super::{
    Metrics,
    line::{self, Style},
};

/// Lines that wait to be written; more are lost.
const LINES: usize = 8192;
/// Bytes of lines that wait to be written; more are lost.
const BYTES: usize = 4 << 20;
/// Bytes that are written at once, about.
const BATCH_BYTES: usize = 64 << 10;
/// Pause before a standard error is tried again that takes nothing now, being set not to block.
const PAUSE: Duration = Duration::from_millis(20);

/// The way to the writing thread.
pub(super) struct Writer {
    queue: ArrayQueue<String>,
    /// Bytes in the queue.
    bytes: AtomicUsize,
    /// Lines that were put into the queue and neither written nor given up yet.
    waiting: AtomicUsize,
    sleeping: AtomicBool,
    style: Style,
    pub(super) metrics: Arc<Metrics>,
    thread: std::sync::OnceLock<Thread>,
}

impl Writer {
    /// Starts the thread, which ends with the process.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(out: impl Write + Send + 'static, style: Style) -> io::Result<Arc<Writer>> {
        let writer = Arc::new(Writer {
            queue: ArrayQueue::new(LINES),
            bytes: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            sleeping: AtomicBool::new(false),
            style,
            metrics: Arc::default(),
            thread: std::sync::OnceLock::new(),
        });
        let writing = writer.clone();
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || writing.run(out))?;
        let _ = writer.thread.set(thread.thread().clone()); // set once, here
        Ok(writer)
    }

    /// Has a line written, or counts it as lost. Never waits.
    pub(super) fn put(&self, line: String) {
        let length = line.len();
        if self.bytes.fetch_add(length, Ordering::SeqCst) + length > BYTES {
            self.bytes.fetch_sub(length, Ordering::SeqCst);
            return self.metrics.lost.up();
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.queue.push(line).is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            self.bytes.fetch_sub(length, Ordering::SeqCst);
            return self.metrics.lost.up();
        }
        self.wake();
    }

    fn wake(&self) {
        if self.sleeping.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Waits until everything is written that was put in, at most for so long.
    pub(super) fn flush(&self, longest: Duration) {
        let begun = Instant::now();
        while self.waiting.load(Ordering::SeqCst) > 0 && begun.elapsed() < longest {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn run(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        let mut told = 0;
        loop {
            let lines = self.gather(&mut batch);
            if lines == 0 {
                self.sleep();
                continue;
            }
            self.tell_losses(&mut batch, &mut told);
            let counter = match write_all(&mut out, &batch) {
                Ok(()) => &self.metrics.written,
                // Nobody reads it any more, or the disk is full. It may be another time.
                Err(_) => &self.metrics.lost,
            };
            counter.add(lines as u64);
            batch.clear();
            self.waiting.fetch_sub(lines, Ordering::SeqCst);
        }
    }

    /// Takes lines out of the queue, as many as are written at once.
    fn gather(&self, batch: &mut Vec<u8>) -> usize {
        let mut lines = 0;
        while batch.len() < BATCH_BYTES
            && let Some(line) = self.queue.pop()
        {
            self.bytes.fetch_sub(line.len(), Ordering::SeqCst);
            batch.extend_from_slice(line.as_bytes());
            lines += 1;
        }
        lines
    }

    /// Until there is a line. Wakes by itself now and then, so that a wake that was missed costs no line its place.
    fn sleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.queue.is_empty() {
            thread::park_timeout(Duration::from_secs(1));
        }
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// Says in the log itself how many lines it lacks.
    fn tell_losses(&self, batch: &mut Vec<u8>, told: &mut u64) {
        let lost = self.metrics.lost.value();
        if lost > *told {
            let text = format!("muster: {} lines of this log were lost", lost - *told);
            batch.extend_from_slice(line::notice(&text, self.style).as_bytes());
            *told = lost;
        }
    }
}

/// Writes everything, also where writing does not wait.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        mpsc::{Receiver, channel},
    };

    use super::*;

    /// Takes what there is a permit for; without permits any more, nothing ever again.
    struct Reader {
        permits: Receiver<io::Result<()>>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.permits.recv() {
                Ok(permit) => permit?,
                Err(_) => return Err(ErrorKind::BrokenPipe.into()),
            }
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started(reader: Reader) -> Arc<Writer> {
        Writer::start(reader, Style::Plain).unwrap()
    }

    fn patient(holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_nobodys_time() {
        let (permits, waiting) = channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let writer = started(Reader {
            permits: waiting,
            taken: taken.clone(),
        });
        for number in 0..6 * LINES {
            writer.put(format!("{number}\n"));
        }
        let lost = writer.metrics.lost.value();
        assert!(lost >= LINES as u64, "{lost}");
        for _ in 0..1000 {
            permits.send(Ok(())).unwrap();
        }
        patient(|| writer.metrics.written.value() + lost == 6 * LINES as u64);
        let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("0\n"));
        // The thread may have looked before all of them were lost, and says the rest later.
        let notices = text.lines().filter_map(|line| {
            let number = line.strip_prefix("muster: ")?;
            number.strip_suffix(" lines of this log were lost")
        });
        let told: u64 = notices.map(|number| number.parse::<u64>().unwrap()).sum();
        assert_eq!(told, lost);
    }

    #[test]
    fn lines_are_bounded_by_their_bytes_too() {
        let (_permits, waiting) = channel();
        let writer = started(Reader {
            permits: waiting,
            taken: Arc::default(),
        });
        for _ in 0..200 {
            writer.put("x".repeat(64 << 10));
        }
        assert!(writer.bytes.load(Ordering::SeqCst) <= BYTES);
        assert!(writer.metrics.lost.value() > 100);
    }

    #[test]
    fn a_reader_that_is_gone_or_a_full_disk_is_counted_and_tried_again() {
        let (permits, waiting) = channel();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let writer = started(Reader {
            permits: waiting,
            taken: taken.clone(),
        });
        permits.send(Err(ErrorKind::StorageFull.into())).unwrap();
        writer.put("one\n".into());
        patient(|| writer.metrics.lost.value() == 1);
        permits.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        permits.send(Ok(())).unwrap();
        writer.put("two\n".into());
        patient(|| writer.metrics.written.value() == 1);
        assert!(taken.lock().unwrap().starts_with(b"two\n"));
        drop(permits);
        writer.put("three\n".into());
        writer.flush(Duration::from_secs(30));
        assert_eq!(writer.metrics.lost.value(), 2);
    }
}
