//! A quantity that changes along straight lines: a rate, or a number of clients.

/// Values at certain times and straight lines between them; two at one time are a jump. After the last it stays as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    at_us: u64,
    value: f64,
    /// The area below the curve before this point, in values times seconds.
    area: f64,
}

/// A time during which the curve is as high as asked for; the end is open if it is never left.
pub(crate) type Span = (u64, Option<u64>);

impl Curve {
    /// The same all the time.
    pub(crate) fn constant(value: f64) -> Curve {
        Curve {
            points: vec![Point {
                at_us: 0,
                value,
                area: 0.0,
            }],
        }
    }

    /// Goes to this value within so many µs.
    pub(crate) fn push(&mut self, within_us: u64, value: f64) {
        let last = self.end();
        let area = last.area + (last.value + value) / 2.0 * within_us as f64 / 1e6;
        let at_us = last.at_us + within_us;
        self.points.push(Point { at_us, value, area });
    }

    /// What it stays at in the end.
    pub(crate) fn last(&self) -> f64 {
        self.end().value
    }

    fn end(&self) -> Point {
        *self.points.last().expect("a curve has a point")
    }

    pub(crate) fn is_constant(&self) -> bool {
        let first = self.points[0].value;
        self.points.iter().all(|point| point.value == first)
    }

    pub(crate) fn highest(&self) -> f64 {
        let values = self.points.iter().map(|point| point.value);
        values.fold(0.0, f64::max)
    }

    pub(crate) fn lowest(&self) -> f64 {
        let values = self.points.iter().map(|point| point.value);
        values.fold(f64::INFINITY, f64::min)
    }

    /// The last point before or at this time, and the one after it.
    fn around(&self, at_us: u64) -> (Point, Option<Point>) {
        let next = self.points.partition_point(|point| point.at_us <= at_us);
        (self.points[next.max(1) - 1], self.points.get(next).copied())
    }

    pub(crate) fn at(&self, at_us: u64) -> f64 {
        let (from, to) = self.around(at_us);
        from.value + slope(from, to) * seconds(from.at_us, at_us)
    }

    /// The area below the curve up to this time: of a rate, how many events are due by then.
    pub(crate) fn area(&self, at_us: u64) -> f64 {
        let (from, to) = self.around(at_us);
        let passed_s = seconds(from.at_us, at_us);
        from.area + (from.value + slope(from, to) * passed_s / 2.0) * passed_s
    }

    /// When the area below the curve is this large, if ever: of a rate, when the event of this number is due.
    pub(crate) fn reaches(&self, area: f64) -> Option<u64> {
        let next = self.points.partition_point(|point| point.area <= area);
        let from = self.points[next.max(1) - 1];
        let rest = area - from.area;
        if rest <= 0.0 && from.value > 0.0 {
            return Some(from.at_us);
        }
        let slope = slope(from, self.points.get(next).copied());
        // The solution of rest = value·t + slope·t²/2 that does not cancel out.
        let root = (from.value * from.value + 2.0 * slope * rest)
            .max(0.0)
            .sqrt();
        let after_s = 2.0 * rest / (from.value + root);
        if rest <= 0.0 && slope > 0.0 {
            return Some(from.at_us);
        }
        after_s
            .is_finite()
            .then(|| from.at_us + (after_s * 1e6).round() as u64)
    }

    /// When the curve is at this height or above it.
    pub(crate) fn spans_at(&self, height: f64) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut since = (self.points[0].value >= height).then_some(0);
        for pair in self.points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let crosses = || {
                let share = (height - from.value) / (to.value - from.value);
                from.at_us + (share * (to.at_us - from.at_us) as f64).round() as u64
            };
            match since {
                None if to.value >= height => since = Some(crosses()),
                Some(start) if to.value < height => {
                    spans.push((start, Some(crosses())));
                    since = None;
                }
                _ => {}
            }
        }
        spans.extend(since.map(|start| (start, None)));
        spans
    }
}

fn slope(from: Point, to: Option<Point>) -> f64 {
    match to {
        Some(to) if to.at_us > from.at_us => {
            (to.value - from.value) / seconds(from.at_us, to.at_us)
        }
        _ => 0.0,
    }
}

fn seconds(from_us: u64, to_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Up to 10 within two seconds, five seconds at it, a jump to 2, and down to 0 within four.
    fn hill() -> Curve {
        let mut curve = Curve::constant(0.0);
        for (within_s, value) in [(2, 10.0), (5, 10.0), (0, 2.0), (4, 0.0)] {
            curve.push(within_s * 1_000_000, value);
        }
        curve
    }

    #[test]
    fn values_lie_on_lines() {
        let curve = hill();
        for (at_s, value) in [
            (0.0, 0.0),
            (1.0, 5.0),
            (4.0, 10.0),
            (7.0, 2.0),
            (9.0, 1.0),
            (99.0, 0.0),
        ] {
            let at_us = (at_s * 1e6) as u64;
            assert!(
                (curve.at(at_us) - value).abs() < 1e-9,
                "{at_s}: {}",
                curve.at(at_us)
            );
        }
        assert_eq!((curve.highest(), curve.lowest()), (10.0, 0.0));
        assert!(!curve.is_constant() && Curve::constant(3.0).is_constant());
    }

    #[test]
    fn events_are_due_when_the_area_reaches_their_number() {
        let curve = hill();
        // Ten in the two seconds of the rise, fifty at the top, four on the way down, and no more.
        assert_eq!(curve.area(11_000_000), 64.0);
        for (number, at_us) in [(10.0, 2_000_000), (20.0, 3_000_000), (60.0, 7_000_000)] {
            assert_eq!(curve.reaches(number), Some(at_us), "{number}");
        }
        assert_eq!(curve.reaches(2.5), Some(1_000_000));
        assert_eq!(curve.reaches(0.0), Some(0));
        assert_eq!((curve.reaches(64.0), curve.reaches(65.0)), (None, None));
        for number in 0..640 {
            let area = f64::from(number) / 10.0;
            let at_us = curve.reaches(area).expect("it is reached");
            assert!((curve.area(at_us) - area).abs() < 1e-4, "{area}");
        }
    }

    #[test]
    fn nothing_is_due_while_the_rate_is_nought() {
        let mut curve = Curve::constant(0.0);
        curve.push(3_000_000, 0.0);
        assert_eq!(curve.reaches(0.0), None);
        curve.push(0, 4.0);
        curve.push(5_000_000, 4.0);
        assert_eq!(curve.reaches(0.0), Some(3_000_000));
        assert_eq!(curve.reaches(4.0), Some(4_000_000));
    }

    #[test]
    fn clients_come_and_go_where_the_number_crosses_theirs() {
        let curve = hill();
        assert_eq!(curve.spans_at(5.0), [(1_000_000, Some(7_000_000))]);
        assert_eq!(curve.spans_at(1.0), [(200_000, Some(9_000_000))]);
        assert_eq!(curve.spans_at(11.0), []);
        assert_eq!(Curve::constant(3.0).spans_at(3.0), [(0, None)]);
        let mut twice = Curve::constant(2.0);
        for value in [0.0, 4.0] {
            twice.push(1_000_000, value);
        }
        assert_eq!(twice.spans_at(2.0), [(0, Some(0)), (1_500_000, None)]);
    }
}
