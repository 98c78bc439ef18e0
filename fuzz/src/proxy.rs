//! PROXY headers, of both versions: what a shorter beginning of a stream is taken for, the longer one is taken for too.

use wire::proxy;

use crate::input::Input;

/// A header whose lengths and kinds are chosen, or any bytes; then cut at every place.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let header = match input.below(3) {
        0 => [b"PROXY ".as_slice(), input.rest()].concat(),
        1 => binary(&mut input),
        _ => input.rest().to_vec(),
    };
    let mut settled = None;
    for end in 0..=header.len().min(600) {
        let read = proxy::parse(&header[..end]);
        match (&settled, &read) {
            (None, Ok(None)) => {}
            (None, _) => settled = Some(read),
            (Some(before), _) => assert_eq!(*before, read, "at {end} of {header:?}"),
        }
        if let Ok(Some((used, _))) = read {
            assert!(used <= end);
        }
    }
}

/// A header of version 2, with the right length or another.
fn binary(input: &mut Input<'_>) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([
        input.pick(&[0x21, 0x20, 0x22, 0x11]),
        input.pick(&[0x11, 0x21, 0x12, 0x22, 0x31, 0]),
    ]);
    let off = input.byte();
    let body = input.rest();
    header.extend(
        (body.len() as u16)
            .wrapping_add(u16::from(off))
            .to_be_bytes(),
    );
    header.extend_from_slice(body);
    header
}
