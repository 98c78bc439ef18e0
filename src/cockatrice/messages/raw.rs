//! Fields of Protocol Buffers, written one by one: by every message, and by hand where a part of one is there in bytes already.

/// How fields are marked whose content is a block of bytes: texts, messages.
const BLOCK: u64 = 2;

/// Appends a number in base 128.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How long that is.
pub(super) fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Appends a field that is a number.
pub fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    varint(out, u64::from(field) << 3);
    varint(out, value);
}

/// Appends a field that is a block of bytes.
pub fn block(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends what stands in front of a block of so many bytes.
pub fn head(out: &mut Vec<u8>, field: u32, len: usize) {
    varint(out, u64::from(field) << 3 | BLOCK);
    varint(out, len as u64);
}

/// How long such a field is altogether.
pub fn block_len(field: u32, len: usize) -> usize {
    varint_len(u64::from(field) << 3 | BLOCK) + varint_len(len as u64) + len
}

/// Length of a field that is a number.
pub fn number_len(field: u32, value: u64) -> usize {
    varint_len(u64::from(field) << 3) + varint_len(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_that_are_written() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut out = Vec::new();
            number(&mut out, 1, value);
            assert_eq!(out.len(), number_len(1, value), "{value}");
        }
        for len in [0, 127, 128, 20_000] {
            for field in [1, 15, 16, 1002] {
                let mut out = Vec::new();
                block(&mut out, field, &vec![7; len]);
                assert_eq!(out.len(), block_len(field, len), "{field} {len}");
            }
        }
    }
}
