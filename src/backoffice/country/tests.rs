//! Databases of a few networks in a folder of the test's own, and a download server on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use flate2::{Compression, write::GzEncoder};
use md5::{Digest, Md5};
use tempfile::TempDir;

use super::*;

#[path = "../../../tests/support/mmdb.rs"]
mod mmdb;

const DE: &[(&str, u32, &str)] = &[
    ("127.0.0.0", 8, "DE"),
    ("198.51.100.0", 24, "FR"),
    ("2001:db8::", 32, "NZ"),
];
const AT: &[(&str, u32, &str)] = &[("127.0.0.0", 8, "AT")];
/// A moment to begin at, in Unix seconds: Thursday, 2026-01-01 00:00 UTC.
const THURSDAY: u64 = 1_767_225_600;
const DAY: u64 = 86_400;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Place {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("countries.mmdb")
    }

    /// Writes the file as of a moment.
    fn write(&self, content: &[u8], unix_s: u64) {
        std::fs::write(self.file(), content).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s);
        let file = std::fs::File::options()
            .write(true)
            .open(self.file())
            .unwrap();
        file.set_modified(at).unwrap();
    }

    fn countries(&self, download: Option<Download>) -> Countries {
        Countries::new(Some(self.file()), download)
    }
}

fn code(countries: &Countries, address: &str) -> String {
    countries.code(address.parse().unwrap())
}

/// What `tests/dialogues/country.txt` is played with.
#[test]
fn the_database_of_the_dialogue() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/countries.mmdb"
    );
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, mmdb::database(DE)).unwrap();
    }
    assert_eq!(std::fs::read(path).unwrap(), mmdb::database(DE));
}

// checklist: faf 107
#[tokio::test]
async fn addresses_have_countries() {
    let place = Place::new();
    let countries = place.countries(None);
    countries.load().await;
    assert_eq!(code(&countries, "127.0.0.1"), "", "there is no file yet");
    place.write(&mmdb::database(DE), THURSDAY);
    countries.load().await;
    for (address, expected) in [
        ("127.0.0.1", "DE"),
        ("::ffff:127.0.0.1", "DE"),
        ("198.51.100.77", "FR"),
        ("198.51.101.1", ""),
        ("2001:db8::1", "NZ"),
        ("2001:db9::1", ""),
    ] {
        assert_eq!(code(&countries, address), expected, "{address}");
    }
    let none = Countries::new(None, None);
    none.load().await;
    assert_eq!(code(&none, "127.0.0.1"), "");
}

#[tokio::test]
async fn an_entry_without_a_code_has_no_country() {
    let place = Place::new();
    let mut database = mmdb::database(DE);
    let at = database.windows(8).position(|w| w == b"iso_code").unwrap();
    database[at..at + 8].copy_from_slice(b"xso_code");
    place.write(&database, THURSDAY);
    let countries = place.countries(None);
    countries.load().await;
    assert_eq!(code(&countries, "127.0.0.1"), "");
    assert_eq!(code(&countries, "198.51.100.1"), "FR");
}

// checklist: faf 507
#[tokio::test(start_paused = true)]
async fn a_newer_file_is_loaded_within_ten_minutes() {
    let place = Place::new();
    place.write(&mmdb::database(DE), THURSDAY);
    let countries = Arc::new(place.countries(None));
    let begun = tokio::time::Instant::now();
    let clock = move || THURSDAY as f64 + begun.elapsed().as_secs_f64();
    let kept = countries.clone();
    let task = tokio::spawn(async move { kept.keep_fresh(clock).await });
    let later = async |s| tokio::time::sleep(Duration::from_secs(s)).await;
    later(1).await;
    assert_eq!(code(&countries, "127.0.0.1"), "DE");
    place.write(&mmdb::database(AT), THURSDAY + 100);
    later(590).await;
    assert_eq!(code(&countries, "127.0.0.1"), "DE", "not looked at yet");
    later(20).await;
    assert_eq!(code(&countries, "127.0.0.1"), "AT");
    // An older one is none; a broken one, and half of one, leave what is there.
    place.write(&mmdb::database(DE), THURSDAY + 50);
    later(600).await;
    assert_eq!(code(&countries, "127.0.0.1"), "AT");
    let whole = mmdb::database(DE);
    for (n, broken) in [b"no database".to_vec(), whole[..whole.len() / 2].to_vec()]
        .into_iter()
        .enumerate()
    {
        place.write(&broken, THURSDAY + 200 + n as u64);
        later(600).await;
        assert_eq!(code(&countries, "127.0.0.1"), "AT");
    }
    std::fs::remove_file(place.file()).unwrap();
    later(600).await;
    assert_eq!(code(&countries, "127.0.0.1"), "AT");
    place.write(&whole, THURSDAY + 300);
    later(600).await;
    assert_eq!(code(&countries, "127.0.0.1"), "DE");
    task.abort();
}

#[test]
fn wednesdays() {
    let next = |unix_s: u64| download::next_wednesday(unix_s as f64) as u64;
    let wednesday = THURSDAY + 6 * DAY;
    assert_eq!(next(THURSDAY), wednesday);
    assert_eq!(next(wednesday - 1), wednesday);
    assert_eq!(next(wednesday), wednesday + 7 * DAY);
    assert_eq!(next(wednesday + 1), wednesday + 7 * DAY);
    assert_eq!(next(0), 6 * DAY);
}

/// An archive as MaxMind's: the database in a folder named after its day, beside other files.
fn archive(name: &str, database: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in [("COPYRIGHT.txt", &b"(c)"[..]), (name, database)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let path = format!("GeoLite2-Country_20260101/{path}");
        builder.append_data(&mut header, path, content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// Serves an archive and a sum; gives its address and what it was asked for.
fn serve(archive: Vec<u8>, sum: String) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/geoip", listener.local_addr().unwrap());
    let (asked, log) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let target = request.split(' ').nth(1).unwrap().to_owned();
            let body = if target.contains("suffix=tar.gz.md5") {
                sum.clone().into_bytes()
            } else {
                archive.clone()
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
            stream.write_all(&body).unwrap();
            if asked.send(target).is_err() {
                return;
            }
        }
    });
    (url, log)
}

fn sum(bytes: &[u8]) -> String {
    Md5::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn download(url: String) -> Option<Download> {
    Some(Download {
        url,
        license_key: "k&y".to_owned(),
        max_age: Duration::from_secs(22 * DAY),
    })
}

// checklist: faf 507
#[tokio::test]
async fn a_missing_or_old_file_is_downloaded() {
    let good = archive("GeoLite2-Country.mmdb", &mmdb::database(AT));
    let (url, log) = serve(good.clone(), sum(&good));
    let place = Place::new();
    let countries = place.countries(download(url));
    countries.download_if_old(THURSDAY as f64).await;
    countries.load().await;
    assert_eq!(code(&countries, "127.0.0.1"), "AT");
    let asked: Vec<String> = log.try_iter().collect();
    assert_eq!(
        asked,
        [
            "/geoip?edition_id=GeoLite2-Country&license_key=k%26y&suffix=tar.gz.md5",
            "/geoip?edition_id=GeoLite2-Country&license_key=k%26y&suffix=tar.gz"
        ]
    );
    // Young enough, then too old.
    place.write(&mmdb::database(DE), THURSDAY);
    countries
        .download_if_old((THURSDAY + 22 * DAY) as f64)
        .await;
    assert_eq!(log.try_iter().count(), 0);
    countries
        .download_if_old((THURSDAY + 22 * DAY + 1) as f64)
        .await;
    assert_eq!(log.try_iter().count(), 2);
    assert_eq!(std::fs::read(place.file()).unwrap(), mmdb::database(AT));
    let left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing else is left behind");
}

// checklist: faf 507
#[tokio::test]
async fn a_bad_download_leaves_the_file_as_it_is() {
    let database = mmdb::database(AT);
    let good = archive("GeoLite2-Country.mmdb", &database);
    let other = archive("GeoLite2-City.mmdb", &database);
    let broken = archive("GeoLite2-Country.mmdb", b"no database");
    for (body, told) in [
        (good.clone(), sum(b"something else")),
        (good, "short".to_owned()),
        (other.clone(), sum(&other)),
        (broken.clone(), sum(&broken)),
        (b"no archive".to_vec(), sum(b"no archive")),
    ] {
        let (url, _log) = serve(body, told);
        let place = Place::new();
        place.write(&mmdb::database(DE), THURSDAY);
        let countries = place.countries(download(url));
        countries
            .download_if_old((THURSDAY + 30 * DAY) as f64)
            .await;
        countries.load().await;
        assert_eq!(code(&countries, "127.0.0.1"), "DE");
        assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1);
    }
    // Nobody there: the key is not told to the log.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = download(format!("http://{nobody}/"));
    let place = Place::new();
    let outcome = gone.expect("just made").replace(&place.file()).await;
    let text = outcome.expect_err("nobody there").to_string();
    assert!(!text.contains("k&y") && !text.contains("k%26y"), "{text}");
}
