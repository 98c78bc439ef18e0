//! Whether text that comes in pieces can still become UTF-8 (RFC 6455, 8.1).
//!
//! A piece may end inside of a character, which the next one then goes on with. What no further piece could mend is told at
//! once, so that nobody waits for, or keeps, the rest of a message that is refused anyway. Each byte is looked at once.

use simdutf8::{basic, compat};

/// What the pieces so far end with: nothing, or the beginning of a character.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    begun: [u8; 3],
    len: usize,
}

impl Utf8 {
    /// Takes the next piece; `last`: no further one belongs to this text. False: the text is not UTF-8, whatever follows.
    pub(super) fn takes(&mut self, piece: &[u8], last: bool) -> bool {
        if last && self.len == 0 {
            return basic::from_utf8(piece).is_ok(); // nearly always
        }
        self.push(piece) && !(last && self.len > 0)
    }

    fn push(&mut self, mut piece: &[u8]) -> bool {
        while self.len > 0 {
            let Some(byte) = piece.split_off_first() else {
                return true;
            };
            let [first, second, third] = self.begun;
            let mut character = [first, second, third, 0];
            character[self.len] = *byte;
            match std::str::from_utf8(&character[..=self.len]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {
                    self.begun[self.len] = *byte;
                    self.len += 1;
                }
            }
        }
        match compat::from_utf8(piece) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let begun = &piece[error.valid_up_to()..];
                self.begun[..begun.len()].copy_from_slice(begun);
                self.len = begun.len();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many bytes are taken, one by one, before the text is refused; `None`: it is not.
    fn refused_at(text: &[u8]) -> Option<usize> {
        let mut utf8 = Utf8::default();
        let last = text.len().saturating_sub(1);
        text.iter()
            .enumerate()
            .position(|(at, byte)| !utf8.takes(&[*byte], at == last))
    }

    #[test]
    fn what_nothing_can_mend_is_refused_at_once() {
        for (text, at) in [
            (&b"\xce\xba\xe1\xbd\xb9"[..], None),
            (b"\xf0\x9f\x98\x80x", None),
            (b"ab\xf4\x90\x80\x80cd", Some(3)), // beyond the last character
            (b"\xed\xa0\x80x", Some(1)),        // a surrogate
            (b"\xc0\xafx", Some(0)),            // longer than need be
            (b"\xe0\x80\xafx", Some(1)),
            (b"x\xff", Some(1)),
            (b"x\x80x", Some(1)),
            (b"x\xe2\x82", Some(2)), // it ends inside of a character
        ] {
            assert_eq!(refused_at(text), at, "{text:x?}");
        }
    }

    proptest! {
        #[test]
        fn any_pieces_are_what_the_whole_is(
            text in prop_oneof![
                "\\PC{0,30}".prop_map(String::into_bytes),
                prop::collection::vec(prop_oneof![0x7e..=0x81u8, 0xc0..=0xf5u8, 0x90..=0xa0u8], 0..8),
            ],
            cuts in prop::collection::vec(any::<usize>(), 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut utf8 = Utf8::default();
            let mut from = 0;
            let mut taken = true;
            for to in cuts {
                taken = taken && utf8.takes(&text[from..to], false);
                let begins = std::str::from_utf8(&text[..to]);
                prop_assert_eq!(taken, begins.is_ok_and(|_| true) || begins.is_err_and(|e| e.error_len().is_none()));
                from = to;
            }
            taken = taken && utf8.takes(&text[from..], true);
            prop_assert_eq!(taken, std::str::from_utf8(&text).is_ok());
        }
    }
}
