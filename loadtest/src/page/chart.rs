//! A chart of some curves, as SVG. Every place in it is computed here; colours and fonts are the page's.

use std::fmt::Write as _;

use super::escape;
use crate::scale::neighbours;

/// The picture in its own units, about pixels on a telephone.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
/// Room for what the upright axis is measured in,
const TOP: f64 = 24.0;
/// which is written at this height,
const UNIT_Y: f64 = 12.0;
/// and for the words and the unit of the other.
const BOTTOM: f64 = 40.0;
/// About how wide a character is; a little more, so that labels keep their distance.
const CHARACTER: f64 = 7.2;
/// Lines across, about.
const TICKS: f64 = 4.0;
/// Least value on an axis of latencies, in ms: what is shorter is not told apart.
const LEAST_MS: f64 = 0.001;
/// Decades up to which the values between powers of ten have labels too.
const FEW_DECADES: f64 = 2.0;
/// Decades from which only each second one has a label.
const MANY_DECADES: f64 = 6.0;

/// A line through points, in ascending order of the first. Where a value is missing the line is.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) name: String,
    /// Which of the page's colours.
    pub(super) colour: usize,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A moment that matters to all curves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) name: String,
}

/// Curves in one picture.
#[derive(Debug)]
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) across: Axis,
    pub(super) up: Axis,
    pub(super) curves: Vec<Curve>,
    pub(super) marks: &'a [Mark],
}

/// How values become places and words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    kind: Kind,
    unit: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Linear,
    /// By powers of ten.
    Logarithmic,
    /// Values are the logarithms of one in how many.
    Percentile,
}

impl Axis {
    /// Evenly from 0.
    pub(super) fn linear(unit: &'static str) -> Axis {
        Axis {
            kind: Kind::Linear,
            unit,
        }
    }

    /// Milliseconds by powers of ten.
    pub(super) fn latency() -> Axis {
        Axis {
            kind: Kind::Logarithmic,
            unit: "ms",
        }
    }

    /// 50 %, 90 %, 99 % and so on, evenly.
    pub(super) fn percentiles() -> Axis {
        Axis {
            kind: Kind::Percentile,
            unit: "percentile",
        }
    }

    /// The value as it stands on the axis.
    fn place(self, value: f64) -> f64 {
        match self.kind {
            Kind::Logarithmic => value.max(LEAST_MS).log10(),
            Kind::Linear | Kind::Percentile => value,
        }
    }

    /// From where to where the axis goes.
    fn span(self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let places = values.map(|value| self.place(value));
        let least = places.clone().fold(f64::INFINITY, f64::min);
        let most = places.fold(f64::NEG_INFINITY, f64::max);
        match self.kind {
            _ if !least.is_finite() => (0.0, 1.0),
            Kind::Logarithmic => {
                let (from, to) = (neighbours(least).0, neighbours(most).1);
                (from, to.max(from + f64::log10(5.0)))
            }
            Kind::Percentile => (0.0, most.max(1.0)),
            Kind::Linear => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
        }
    }

    /// Places with words to them, from low to high.
    fn ticks(self, (from, to): (f64, f64)) -> Vec<(f64, String)> {
        match self.kind {
            Kind::Linear => {
                let step = round_step((to - from) / TICKS);
                let count = ((to - from) / step) as u32;
                let values = (0..=count).map(|number| from + f64::from(number) * step);
                values.map(|value| (value, number(value))).collect()
            }
            Kind::Logarithmic => {
                let factors: &[f64] = match to - from {
                    few if few <= FEW_DECADES => &[1.0, 2.0, 5.0],
                    _ => &[1.0],
                };
                let step = if to - from > MANY_DECADES { 2 } else { 1 };
                let powers = (from.floor() as i32..=to.ceil() as i32).step_by(step);
                let values = powers.flat_map(|power| {
                    let power = 10_f64.powi(power);
                    factors.iter().map(move |factor| power * factor)
                });
                // What lies at an end may miss it by a hair.
                let inside = from - 1e-9..=to + 1e-9;
                let places = values.map(|value| (value.log10(), number(value)));
                places.filter(|(place, _)| inside.contains(place)).collect()
            }
            Kind::Percentile => {
                let known = [
                    0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999, 99.99999,
                ];
                let places = known.map(|percent: f64| (-(1.0 - percent / 100.0).log10(), percent));
                let inside = places.into_iter().filter(|(place, _)| *place <= to);
                inside
                    .map(|(place, percent)| (place, percent.to_string()))
                    .collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten.
fn round_step(about: f64) -> f64 {
    let power = 10_f64.powf(about.log10().floor());
    let factor = match about / power {
        factor if factor < 1.5 => 1.0,
        factor if factor < 3.5 => 2.0,
        factor if factor < 7.5 => 5.0,
        _ => 10.0,
    };
    factor * power
}

/// A number as short as it can be.
fn number(value: f64) -> String {
    let rounded = |value: f64| (value * 1e3).round() / 1e3;
    match value.abs() {
        size if size >= 1e9 => format!("{}G", rounded(value / 1e9)),
        size if size >= 1e6 => format!("{}M", rounded(value / 1e6)),
        size if size >= 1e4 => format!("{}k", rounded(value / 1e3)),
        size if size < 1e-3 => format!("{value}"),
        _ => rounded(value).to_string(),
    }
}

/// Where values are in the picture.
struct Frame<'a> {
    chart: &'a Chart<'a>,
    x_span: (f64, f64),
    y_span: (f64, f64),
}

impl Frame<'_> {
    fn x_of_place(&self, place: f64) -> f64 {
        let share = (place - self.x_span.0) / (self.x_span.1 - self.x_span.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y_of_place(&self, place: f64) -> f64 {
        let share = (place - self.y_span.0) / (self.y_span.1 - self.y_span.0);
        TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM)
    }

    fn point(&self, x: f64, y: f64) -> (f64, f64) {
        let (across, up) = (self.chart.across.place(x), self.chart.up.place(y));
        (self.x_of_place(across), self.y_of_place(up))
    }
}

impl Chart<'_> {
    /// The chart with its title, and a legend where there are several curves. Whether there is anything to see at all.
    pub(super) fn is_empty(&self) -> bool {
        let mut curves = self.curves.iter();
        curves.all(|curve| curve.points.iter().all(|(_, y)| y.is_none()))
    }

    /// As a part of the page.
    pub(super) fn to_html(&self) -> String {
        let points = || self.curves.iter().flat_map(|curve| curve.points.iter());
        let frame = Frame {
            chart: self,
            x_span: self.across.span(points().map(|point| point.0)),
            y_span: self.up.span(points().filter_map(|point| point.1)),
        };
        let title = escape(self.title);
        format!(
            "<figure><h3>{title}</h3><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">{}{}{}</svg>{}</figure>\n",
            self.axes(&frame),
            self.marks(&frame),
            self.lines(&frame),
            self.legend(),
        )
    }

    fn axes(&self, frame: &Frame<'_>) -> String {
        let mut svg = String::new();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (place, word) in self.up.ticks(frame.y_span) {
            let y = frame.y_of_place(place);
            let _infallible = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{word}</text>",
                LEFT - 6.0,
                y + 4.0,
            );
        }
        let mut free = f64::NEG_INFINITY;
        for (place, word) in self.across.ticks(frame.x_span) {
            let half = word.len() as f64 * CHARACTER / 2.0;
            // At the edge a label stands beside its line rather than out of the picture.
            let x = frame.x_of_place(place);
            let middle = x.min(WIDTH - half);
            if middle - half < free {
                continue;
            }
            free = middle + half;
            let _infallible = write!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} {bottom}v4\"/><text x=\"{middle:.1}\" y=\"{}\" text-anchor=\"middle\">{word}</text>",
                bottom + 17.0,
            );
        }
        let _infallible = write!(
            svg,
            "<text class=\"unit\" x=\"{}\" y=\"{UNIT_Y}\" text-anchor=\"end\">{}</text>\
             <text class=\"unit\" x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            // A long one needs the room to the right as well.
            (LEFT - 6.0).max(self.up.unit.len() as f64 * CHARACTER),
            escape(self.up.unit),
            HEIGHT - 6.0,
            escape(self.across.unit),
        );
        svg
    }

    fn marks(&self, frame: &Frame<'_>) -> String {
        let mut svg = String::new();
        let mut free = f64::NEG_INFINITY;
        for mark in self.marks {
            let x = frame.x_of_place(self.across.place(mark.at));
            let bottom = HEIGHT - BOTTOM;
            let _infallible = write!(svg, "<path class=\"mark\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
            let half = mark.name.len() as f64 * CHARACTER / 2.0;
            let least = (LEFT - 6.0).max(self.up.unit.len() as f64 * CHARACTER) + CHARACTER;
            // Beside the unit, and the one before; too far from its line it would say nothing.
            let middle = x.max(free.max(least) + half).min(WIDTH - half);
            if (middle - x).abs() <= half + 3.0 * CHARACTER && middle - half >= free.max(least) {
                free = middle + half;
                let _infallible = write!(
                    svg,
                    "<text x=\"{middle:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                    UNIT_Y,
                    escape(&mark.name),
                );
            }
        }
        svg
    }

    fn lines(&self, frame: &Frame<'_>) -> String {
        let mut svg = String::new();
        for curve in &self.curves {
            for part in curve.points.split(|(_, y)| y.is_none()) {
                let places = part.iter().filter_map(|(x, y)| {
                    let (x, y) = frame.point(*x, (*y)?);
                    Some(format!("{x:.1} {y:.1}"))
                });
                let line = places.collect::<Vec<_>>().join("L");
                if !line.is_empty() {
                    // A point alone is a line without length, seen by its round ends.
                    let dot = if part.len() == 1 { "h0" } else { "" };
                    let colour = curve.colour;
                    let _infallible =
                        write!(svg, "<path class=\"curve c{colour}\" d=\"M{line}{dot}\"/>");
                }
            }
        }
        svg
    }

    fn legend(&self) -> String {
        let mut names: Vec<(&str, usize)> = Vec::new();
        for curve in &self.curves {
            if !names.iter().any(|(name, _)| *name == curve.name) {
                names.push((&curve.name, curve.colour));
            }
        }
        if names.len() < 2 {
            return String::new();
        }
        let entry = |(name, colour): &(&str, usize)| {
            let name = escape(name);
            format!(
                "<span><svg viewBox=\"0 0 26 8\" aria-hidden=\"true\"><path class=\"curve c{colour}\" d=\"M1 4H25\"/></svg>{name}</span>"
            )
        };
        let entries: String = names.iter().map(entry).collect();
        format!("<div class=\"legend\">{entries}</div>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(up: Axis, points: Vec<(f64, Option<f64>)>) -> String {
        let curve = Curve {
            name: "<x>".to_owned(),
            colour: 1,
            points,
        };
        let marks = [Mark {
            at: 0.5,
            name: "<mark>".to_owned(),
        }];
        let chart = Chart {
            title: "a & b",
            across: Axis::linear("s"),
            up,
            curves: vec![curve],
            marks: &marks,
        };
        chart.to_html()
    }

    #[test]
    fn axes_are_labelled_with_round_numbers_inside() {
        let words = |axis: Axis, span| {
            let ticks = axis.ticks(span).into_iter();
            ticks.map(|(_, word)| word).collect::<Vec<_>>()
        };
        assert_eq!(
            words(Axis::linear(""), (0.0, 105.0)),
            ["0", "20", "40", "60", "80", "100"]
        );
        assert_eq!(
            words(Axis::latency(), (-1.0, 2.0)),
            ["0.1", "1", "10", "100"]
        );
        assert_eq!(
            words(Axis::latency(), (1.0, 3.0)),
            ["10", "20", "50", "100", "200", "500", "1000"]
        );
        let span = Axis::latency().span([30.0, 450.0].into_iter());
        assert_eq!(
            words(Axis::latency(), span),
            ["20", "50", "100", "200", "500"]
        );
        assert_eq!(
            words(Axis::percentiles(), (0.0, 5.1)),
            ["0", "50", "90", "99", "99.9", "99.99", "99.999"]
        );
        assert_eq!(number(85_680.0), "85.68k");
        assert_eq!(number(1e-4), "0.0001");
    }

    #[test]
    fn every_point_is_a_place_in_the_picture_whatever_the_values() {
        for values in [
            vec![],
            vec![0.0],
            vec![0.0, 0.0],
            vec![5.0],
            vec![1e-9, 1e12],
        ] {
            for up in [Axis::linear("MiB"), Axis::latency()] {
                let svg = chart(up, values.iter().map(|y| (*y, Some(*y))).collect());
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
                assert!(
                    svg.contains("a &amp; b") && svg.contains("&lt;mark&gt;"),
                    "{svg}"
                );
            }
        }
    }

    #[test]
    fn a_line_has_a_gap_where_nothing_was_measured() {
        let values = [Some(1.0), Some(2.0), None, Some(3.0), None];
        let points = (0..).map(f64::from).zip(values);
        let svg = chart(Axis::linear(""), points.collect());
        assert_eq!(svg.matches("class=\"curve c1\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("h0\"").count(), 1, "{svg}");
    }
}
