//! The files that TLS needs: a certificate with what proves it, and its key. Read at the start, whenever the configuration is
//! read again, and by `muster doctor`. A key is never printed.

use std::{
    fs::{self, File},
    io::{self, BufReader},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use config::TlsFiles;
use engine::Certificate;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

/// Longest file that is read: a chain is a few KiB.
const MOST_BYTES: u64 = 1 << 20;

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The certificate with its key.
    pub certificate: Certificate,
    /// When it expires, since 1970-01-01 UTC. None: it does not say so in a way that is understood.
    pub expires: Option<Duration>,
    /// Of the files: whoever looks again sees whether there is anything new.
    pub version: Version,
}

/// What tells whether files are others than before, or others now may read them: which they are, and when that was changed.
pub type Version = [Option<[i64; 4]>; 2];

/// Why files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not have what it is to have.
    #[error("{}: {what}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// They do not go together, or the key is of a kind that is not known.
    #[error("{} and {} do not go together: {source}", certificate.display(), key.display())]
    Apart {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// Reads a certificate and its key, if there are to be any.
///
/// # Errors
/// They can't be used; the error says which file, and why.
pub fn read(files: &TlsFiles) -> Result<Option<Read>, Unusable> {
    let (Some(chain), Some(key)) = (&files.certificate, &files.key) else {
        return Ok(None);
    };
    let version = version(files);
    let certificates = certificates(chain)?;
    let own = certificates.first().map(|own| own.to_vec());
    let certificate = Certificate::new(certificates, private_key(key)?);
    let certificate = certificate.map_err(|source| Unusable::Apart {
        certificate: chain.clone(),
        key: key.clone(),
        source,
    })?;
    Ok(Some(Read {
        certificate,
        expires: own.as_deref().and_then(expiry),
        version,
    }))
}

/// What tells whether the files are others than before.
pub fn version(files: &TlsFiles) -> Version {
    [&files.certificate, &files.key].map(|path| {
        let path = path.as_ref()?;
        let file = fs::metadata(path).ok()?; // of what a link leads to: certbot changes that
        let which = [file.dev().cast_signed(), file.ino().cast_signed()];
        Some([which[0], which[1], file.ctime(), file.ctime_nsec()])
    })
}

fn open(path: &Path) -> Result<BufReader<io::Take<File>>, Unusable> {
    let file = File::open(path).map_err(|source| Unusable::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(BufReader::new(io::Read::take(file, MOST_BYTES)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let all = CertificateDer::pem_reader_iter(open(path)?);
    let all: Vec<_> = all
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(path, &error, "certificate"))?;
    if all.is_empty() {
        return Err(wrong(path, &pem::Error::NoItemsFound, "certificate"));
    }
    Ok(all)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_reader(open(path)?).map_err(|error| wrong(path, &error, "private key"))
}

/// What is wrong with a file; nothing of what is in it is told.
fn wrong(path: &Path, error: &pem::Error, wanted: &str) -> Unusable {
    let path = path.to_owned();
    let what = match error {
        pem::Error::Io(source) => {
            let source = io::Error::from(source.kind());
            return Unusable::File { path, source };
        }
        pem::Error::NoItemsFound => format!("there is no {wanted} in PEM form in it"),
        _ => format!("its {wanted} is not in PEM form"),
    };
    Unusable::Content { path, what }
}

// ---- when it expires --------------------------------------------------------------------------------------------

/// When a certificate expires (RFC 5280, 4.1.2.5): its `notAfter`, since 1970-01-01 UTC.
fn expiry(certificate: &[u8]) -> Option<Duration> {
    let mut whole = certificate;
    let mut body = element(&mut whole, SEQUENCE)?;
    let mut signed = element(&mut body, SEQUENCE)?;
    if signed.first() == Some(&EXPLICIT_0) {
        element(&mut signed, EXPLICIT_0)?; // version
    }
    element(&mut signed, INTEGER)?; // serial number
    element(&mut signed, SEQUENCE)?; // how it is signed
    element(&mut signed, SEQUENCE)?; // by whom
    let mut validity = element(&mut signed, SEQUENCE)?;
    time(&mut validity)?; // not before
    time(&mut validity)
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;

/// Takes an element of this kind off the front; what is in it.
fn element<'a>(input: &mut &'a [u8], kind: u8) -> Option<&'a [u8]> {
    let (&found, rest) = input.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |all, &byte| all << 8 | usize::from(byte));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    (found == kind).then_some(content)
}

/// Takes a time off the front, `[YY]YYMMDDHHMMSSZ`.
fn time(input: &mut &[u8]) -> Option<Duration> {
    let kind = *input.first()?;
    let text = std::str::from_utf8(element(input, kind)?).ok()?;
    let (century, rest) = match kind {
        GENERALIZED_TIME => (text.get(..2)?.parse::<i16>().ok()? * 100, text.get(2..)?),
        UTC_TIME if text < "5" => (2000, text),
        UTC_TIME => (1900, text),
        _ => return None,
    };
    if rest.len() != 13 || !rest.ends_with('Z') {
        return None;
    }
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let year = century + i16::from(part(0)?);
    let date =
        jiff::civil::DateTime::new(year, part(2)?, part(4)?, part(6)?, part(8)?, part(10)?, 0);
    let at = jiff::tz::Offset::UTC.to_timestamp(date.ok()?).ok()?;
    u64::try_from(at.as_second()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate that expires then, and its key, in a folder.
    fn files(folder: &Path, year: i32, key: &KeyPair) -> TlsFiles {
        let mut params = CertificateParams::new(["lobby.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 2, 3);
        let own = params.self_signed(key).unwrap();
        let files = TlsFiles {
            certificate: Some(folder.join("fullchain.pem")),
            key: Some(folder.join("privkey.pem")),
        };
        fs::write(files.certificate.as_ref().unwrap(), own.pem()).unwrap();
        fs::write(files.key.as_ref().unwrap(), key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_certificate_is_read_with_its_key_and_says_when_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        for (year, seconds) in [
            (2031, 1_927_843_200),
            (2049, 2_495_923_200),
            (2061, 2_874_614_400),
        ] {
            let files = files(folder.path(), year, &key);
            let read = read(&files).unwrap().unwrap();
            assert_eq!(read.expires, Some(Duration::from_secs(seconds)), "{year}");
            assert_eq!(read.version, version(&files));
        }
        assert!(read(&TlsFiles::default()).unwrap().is_none());
    }

    #[test]
    fn what_can_not_be_used_is_told_with_its_path_and_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let good = files(folder.path(), 2031, &key);
        let told = |files: &TlsFiles| read(files).unwrap_err().to_string();
        let missing = TlsFiles {
            key: Some(folder.path().join("nowhere.pem")),
            ..good.clone()
        };
        assert!(
            told(&missing).contains("nowhere.pem: No such file"),
            "{}",
            told(&missing)
        );
        let swapped = TlsFiles {
            certificate: good.key.clone(),
            key: good.certificate.clone(),
        };
        assert!(told(&swapped).ends_with("privkey.pem: there is no certificate in PEM form in it"));
        let other = KeyPair::generate().unwrap().serialize_pem();
        fs::write(good.key.as_ref().unwrap(), &other).unwrap();
        let apart = told(&good);
        assert!(
            apart.contains("fullchain.pem and") && apart.contains("do not go together"),
            "{apart}"
        );
        let line = other.lines().nth(1).unwrap();
        fs::write(good.key.as_ref().unwrap(), other.replace(line, "!!!")).unwrap();
        let broken = told(&good);
        assert!(
            broken.contains("privkey.pem") && !broken.contains("!!!"),
            "{broken}"
        );
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::default().self_signed(&key).unwrap();
        let whole = own.der().to_vec();
        assert!(expiry(&whole).is_some());
        for cut in 0..200 {
            let _ = expiry(&whole[..cut]);
            let mut other = whole.clone();
            other[cut] ^= 0x5a;
            let _ = expiry(&other);
        }
        assert_eq!(expiry(b""), None);
    }
}
