//! The run second by second as a table with commas (RFC 4180), for spreadsheets and plots.

use std::io::{self, Write};

use crate::live::Second;

/// Columns that every run has; the protocol's own follow.
const COLUMNS: [&str; 13] = [
    "at_s",
    "phase",
    "connected",
    "due",
    "logins",
    "deliveries",
    "bytes_in",
    "errors",
    "p50_us",
    "p99_us",
    "max_us",
    "server_cpu",
    "server_rss_bytes",
];

/// Writes a head and a line for each second; what was not measured is empty.
pub(crate) fn write(out: &mut impl Write, series: &[Second]) -> io::Result<()> {
    let own = series
        .iter()
        .map(|second| &second.own)
        .max_by_key(|own| own.len());
    let own: Vec<&str> = own.into_iter().flatten().map(|(name, _)| *name).collect();
    let columns = COLUMNS.into_iter().chain(own.iter().copied());
    writeln!(out, "{}", columns.map(field).collect::<Vec<_>>().join(","))?;
    for second in series {
        let mut fields = vec![
            format!("{:.3}", second.at_s),
            field(second.phase),
            second.connected.to_string(),
            second.due.to_string(),
            second.logins.to_string(),
            second.deliveries.to_string(),
            second.bytes_in.to_string(),
            second.errors.to_string(),
        ];
        for us in [second.p50_us, second.p99_us, second.max_us] {
            fields.push(us.map_or_else(String::new, |us| us.to_string()));
        }
        let cpu = second.server_cpu.map(|cores| format!("{cores:.3}"));
        let rss = second.server_rss_bytes.map(|bytes| bytes.to_string());
        fields.extend([cpu.unwrap_or_default(), rss.unwrap_or_default()]);
        fields.extend(own.iter().map(|name| {
            let count = second.own.iter().find(|(known, _)| known == name);
            count.map_or_else(String::new, |(_, count)| count.to_string())
        }));
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// A text as a field, in quotation marks where it needs them.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Live;
    use crate::metrics::{Common, Recorder};

    #[test]
    fn each_second_is_a_line_with_all_columns() {
        let live = Live::new(1, std::iter::empty(), false);
        let mut recorder = Recorder::<Common>::default();
        recorder.delivered(2_000);
        let first = live.second(0.5, "assemble", 3);
        live.publish(0, &mut recorder, vec![("trips", 5)]);
        let mut second = live.second(1.25, "measure", 3);
        second.server_cpu = Some(0.5);
        let mut out = Vec::new();
        write(&mut out, &[first, second]).expect("memory takes all");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "at_s,phase,connected,due,logins,deliveries,bytes_in,errors,p50_us,p99_us,max_us,server_cpu,server_rss_bytes,trips",
                "0.500,assemble,3,0,0,0,0,0,,,,,,",
                "1.250,measure,3,0,0,1,0,0,2000,2000,2000,0.500,,5",
            ]
        );
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
