//! Reports as pages that need nothing else: no script, no font, no picture from elsewhere. Curves are drawn here, as SVG; colours
//! follow the reader's choice of light or dark, and what is wide becomes cards on a telephone.
//!
//! Names, errors and whatever a server said are text: nothing gets into a page but through `escape` or `Cell`.

mod chart;
mod comparison;
mod run;

pub(crate) use comparison::comparison;
pub use run::page;

use hdrhistogram::Histogram;

const STYLE: &str = include_str!("style.css");
/// Points of a percentile curve.
const POINTS: u32 = 160;

/// A whole page: its title, the verdict with its reasons, and what follows.
fn document(title: &str, heading: &str, failures: &[String], body: &str) -> String {
    let (title, heading) = (escape(title), escape(heading));
    let reasons: String = failures
        .iter()
        .map(|why| format!("<li>{}</li>", escape(why)))
        .collect();
    let verdict = if failures.is_empty() {
        "<p class=\"verdict good\">PASSED</p>".to_owned()
    } else {
        format!("<p class=\"verdict bad\">FAILED</p><ul class=\"reasons\">{reasons}</ul>")
    };
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body><main><header><h1>{title}</h1><p>{heading}</p>{verdict}</header>\n{body}</main></body></html>\n"
    )
}

/// Text as HTML, and XML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A cell of a table.
struct Cell {
    text: String,
    class: &'static str,
}

impl Cell {
    fn good(text: &str) -> Cell {
        Cell {
            text: text.to_owned(),
            class: "good",
        }
    }

    fn notable(text: &str) -> Cell {
        Cell {
            text: text.to_owned(),
            class: "notable",
        }
    }

    fn bad(text: &str) -> Cell {
        Cell {
            text: text.to_owned(),
            class: "bad",
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell {
            text: text.into(),
            class: "",
        }
    }
}

/// A section with a table whose first column names the rows; nothing without rows.
fn table(title: &str, head: &[&str], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let columns: String = head
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escape(name)))
        .collect();
    let mut text = format!(
        "<section><h2>{}</h2><table class=\"wide\">\n<thead><tr>{columns}</tr></thead>\n",
        escape(title)
    );
    for row in rows {
        text.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let words = escape(&cell.text);
            text += &match place {
                0 => format!("<th scope=\"row\">{words}</th>"),
                _ => {
                    let label = escape(head.get(place).copied().unwrap_or_default());
                    let class = cell.class;
                    format!("<td data-label=\"{label}\" class=\"{class}\">{words}</td>")
                }
            };
        }
        text.push_str("</tr>\n");
    }
    text + "</table></section>\n"
}

/// A section of names and what they stand for.
fn list(title: &str, rows: impl IntoIterator<Item = (String, String)>) -> String {
    let rows: String = rows
        .into_iter()
        .map(|(name, value)| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n",
                escape(&name),
                escape(&value)
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let title = escape(title);
    format!("<section><h2>{title}</h2><table class=\"list\">\n{rows}</table></section>\n")
}

/// A section of charts, without those that have nothing to show.
fn charts(title: &str, charts: &[chart::Chart<'_>]) -> String {
    let shown = charts.iter().filter(|chart| !chart.is_empty());
    let shown: String = shown.map(chart::Chart::to_html).collect();
    if shown.is_empty() {
        return String::new();
    }
    let title = escape(title);
    format!("<section><h2>{title}</h2><div class=\"charts\">{shown}</div></section>\n")
}

/// A histogram in µs as points (log₁₀ of one in how many, ms), up to the last sample.
fn percentile_curve(histogram: &Histogram<u64>) -> Vec<(f64, Option<f64>)> {
    let end = (histogram.len() as f64).log10().max(0.3);
    let point = |number: u32| {
        let x = end * f64::from(number) / f64::from(POINTS);
        let us = histogram.value_at_quantile(1.0 - 10_f64.powf(-x));
        (x, Some(us as f64 / 1e3))
    };
    (0..=POINTS).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::histogram;

    #[test]
    fn whatever_somebody_said_is_text() {
        let evil = "<script>alert('\"&')</script>";
        let text = "&lt;script&gt;alert(&#39;&quot;&amp;&#39;)&lt;/script&gt;";
        let parts = [
            document(evil, evil, &[evil.to_owned()], ""),
            table(evil, &[evil, evil], &[vec![evil.into(), Cell::bad(evil)]]),
            list(evil, [(evil.to_owned(), evil.to_owned())]),
        ];
        for (part, times) in parts.iter().zip([4, 6, 3]) {
            assert!(!part.contains("<script"), "{part}");
            assert_eq!(part.matches(text).count(), times, "{part}");
        }
    }

    #[test]
    fn a_percentile_curve_ends_with_the_last_sample() {
        let mut histogram = histogram();
        for us in 1..=1000 {
            histogram.saturating_record(us * 1000);
        }
        let points = percentile_curve(&histogram);
        let (first, last) = (points[0], points[points.len() - 1]);
        assert_eq!(first, (0.0, Some(1.0)));
        assert!((last.0 - 3.0).abs() < 1e-9, "{last:?}");
        assert!(last.1.is_some_and(|ms| ms > 998.0), "{last:?}");
        assert_eq!(percentile_curve(&crate::metrics::histogram()).len(), 161);
    }
}
