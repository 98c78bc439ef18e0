//! What a connection takes of the server's memory: the slope of resident memory over connections while they are made.
//!
//! The difference between two moments won't do, because whatever else the server does between them (its first sign-in, a
//! cache that fills, memory that is given back) would be shared out among the clients.

/// Fewer connections take less than the server's memory moves by itself.
const FEWEST_CLIENTS: f64 = 100.0;
/// Looks that a slope rests on at least.
const FEWEST_POINTS: usize = 8;
/// How much of the growth the connections must explain.
const LEAST_FIT: f64 = 0.7;

/// Resident memory of the server by connections.
#[derive(Debug, Default)]
pub(crate) struct MemoryCurve {
    points: Vec<(f64, f64)>,
}

impl MemoryCurve {
    /// So much was resident with so many connections.
    pub(crate) fn add(&mut self, connected: i64, rss_bytes: u64) {
        let point = (connected as f64, rss_bytes as f64);
        if self.points.last().is_none_or(|last| point.0 > last.0) {
            self.points.push(point);
        }
    }

    /// Bytes for each further connection, or why that can't be told.
    pub(crate) fn slope(&self) -> Result<f64, &'static str> {
        let points = &self.points;
        let most = points.last().map_or(0.0, |last| last.0);
        if most < FEWEST_CLIENTS {
            return Err("it takes 100 clients connected at least");
        }
        if points.len() < FEWEST_POINTS {
            return Err(
                "they connected too fast to look on, or the server's process can't be seen",
            );
        }
        let count = points.len() as f64;
        let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
        let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in points {
            let (x, y) = (x - mean_x, y - mean_y);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        }
        if xy <= 0.0 {
            return Err("the server's memory did not grow with them");
        }
        if xy * xy < LEAST_FIT * xx * yy {
            return Err("the server's memory grew for other reasons meanwhile");
        }
        Ok(xy / xx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: impl Iterator<Item = (i64, u64)>) -> Result<f64, &'static str> {
        let mut curve = MemoryCurve::default();
        points.for_each(|(connected, bytes)| curve.add(connected, bytes));
        curve.slope()
    }

    #[test]
    fn the_slope_is_what_each_connection_takes_and_not_what_was_there() {
        let noise = |connected: i64| (connected % 3) as u64 * 4096;
        let points = (0..50).map(|step| step * 40);
        let slope = curve(points.map(|x| (x, 50_000_000 + x as u64 * 2_000 + noise(x))));
        assert!(
            (1_900.0..2_100.0).contains(&slope.expect("it grows")),
            "{slope:?}"
        );
    }

    #[test]
    fn what_is_too_few_is_said_of_too_few_alone() {
        let few = curve((0..50).map(|x| (x * 2, 1_000 + x as u64))).expect_err("98");
        assert!(few.contains("100 clients"), "{few}");
        // Looked at rarely, but they were there.
        let fast = curve([(0, 1), (60, 2), (100, 3)].into_iter()).expect_err("too fast");
        assert!(fast.contains("too fast"), "{fast}");
    }

    #[test]
    fn nonsense_is_not_told() {
        assert!(curve([].into_iter()).is_err());
        assert!(
            curve((0..50).map(|x| (x, 1_000 + x as u64))).is_err(),
            "too few"
        );
        assert!(
            curve([(0, 1), (5_000, 9)].into_iter()).is_err(),
            "all at once"
        );
        assert!(
            curve((0..50).map(|x| (x * 40, 9_000_000 - x as u64 * 4096))).is_err(),
            "shrinks"
        );
        let jumps = (0..50).map(|x| {
            (
                x * 40,
                [1, 900, 30, 4][x as usize % 4] * 1_000_000 + x as u64,
            )
        });
        assert!(curve(jumps).is_err(), "it has other reasons");
    }
}
