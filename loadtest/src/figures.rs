//! Histograms as text, as other tools of HdrHistogram read them: V2 with DEFLATE, in base64.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer, Serializer as _, V2DeflateSerializer, V2Serializer,
};

use crate::metrics::histogram;

/// Largest text that is read: a histogram of this program has some ten thousand buckets.
const MOST_BYTES: usize = 1 << 20;

/// The histogram as text.
pub(crate) fn encode(histogram: &Histogram<u64>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
    written.map_err(|error| anyhow::anyhow!("cannot write a histogram: {error:?}"))?;
    Ok(STANDARD.encode(bytes))
}

/// The same without DEFLATE: for a process that has other things to do.
pub(crate) fn encode_fast(histogram: &Histogram<u64>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let written = V2Serializer::new().serialize(histogram, &mut bytes);
    written.map_err(|error| anyhow::anyhow!("cannot write a histogram: {error:?}"))?;
    Ok(STANDARD.encode(bytes))
}

/// The histogram that this text is.
pub(crate) fn decode(text: &str) -> anyhow::Result<Histogram<u64>> {
    anyhow::ensure!(text.len() <= MOST_BYTES, "too long for a histogram");
    let bytes = STANDARD.decode(text).context("not base64")?;
    let read = Deserializer::new().deserialize(&mut &bytes[..]);
    read.map_err(|error| anyhow::anyhow!("not a histogram: {error}"))
}

/// The histogram that this text is, if it has the bounds of all histograms here: others could not be added exactly.
pub(crate) fn decode_own(text: &str) -> anyhow::Result<Histogram<u64>> {
    let told = decode(text)?;
    let bounds = |histogram: &Histogram<u64>| {
        let limits = (histogram.low(), histogram.high());
        (limits, histogram.sigfig())
    };
    anyhow::ensure!(
        bounds(&told) == bounds(&histogram()),
        "a histogram of other bounds"
    );
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut written = histogram();
        for us in [1, 1_000, 1_001, 3_000_000] {
            written.saturating_record(us);
        }
        let text = encode(&written).expect("it can be written");
        assert!(text.starts_with("HISTFAAA"), "{text}");
        assert_eq!(decode(&text).expect("it can be read"), written);
        let fast = encode_fast(&written).expect("it can be written");
        assert_eq!(decode(&fast).expect("it can be read"), written);
        for nonsense in ["", "HIST", "HISTFAAA", "!"] {
            assert!(decode(nonsense).is_err(), "{nonsense}");
        }
    }
}
