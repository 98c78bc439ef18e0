//! The Debian package: made from the programs of this build, put into a copy of this machine that nobody sees, and removed
//! from there again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{asked, said, support::server::muster};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What stands beside the server in its folder: the load tester as well, if it has been built.
fn programs(folder: &Path) -> Option<PathBuf> {
    let built = muster(folder).get_program().to_owned();
    let built = Path::new(&built).parent()?.to_owned();
    let whole = built.join("swarm").exists();
    if !whole {
        eprintln!(
            "NOT CHECKED: the load tester has not been built (cargo build --workspace --bins)"
        );
    }
    whole.then_some(built)
}

fn package(programs: &Path, folder: &Path, revision: &str) -> PathBuf {
    let made = Command::new(root().join("packaging/deb/build"))
        .args([programs, folder])
        .env("DEB_REVISION", revision)
        // How small it is does not matter here.
        .env("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "1")
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

/// What is done in the copy, as root of it.
const LIFE: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
dpkg --force-depends -i "$1"
getent passwd muster | grep -q /var/lib/muster
test "$(stat -c '%U %a' /var/lib/muster)" = 'muster 700'
test "$(stat -c '%U %G %a' /etc/muster/muster.toml)" = 'root muster 640'
as() { setpriv --reuid muster --regid muster --init-groups "$@"; }
cd /var/lib/muster
as muster --config /etc/muster/muster.toml --check-config
as muster --config /etc/muster/muster.toml account add somebody >/dev/null
test -s /var/lib/muster/muster.db
swarm --version
test -e /usr/share/man/man1/muster.1.gz
systemd-analyze verify /usr/lib/systemd/system/muster.service
echo '# ours' >> /etc/muster/muster.toml
dpkg --force-depends -i "$2" | tee /tmp/upgrade
grep -q 'systemctl restart muster' /tmp/upgrade || test ! -d /run/systemd/system
grep -q '# ours' /etc/muster/muster.toml
as muster --config /etc/muster/muster.toml account list | grep -q somebody
dpkg -r muster
test ! -e /usr/bin/muster
grep -q '# ours' /etc/muster/muster.toml
dpkg --purge muster
test ! -e /etc/muster/muster.toml
test -s /var/lib/muster/muster.db
echo ALL WELL
"#;

#[test]
fn a_package_is_sound_installs_runs_as_its_user_upgrades_and_goes() {
    if asked("dpkg-shlibdeps", &["--version"]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(programs) = programs(folder.path()) else {
        return;
    };
    let first = package(&programs, folder.path(), "1");
    let second = package(&programs, folder.path(), "2");
    assert_ne!(first, second);
    let path = first.to_str().unwrap();
    if let Some(lint) = asked("lintian", &["--fail-on", "error", "--allow-root", path]) {
        assert!(lint.status.success(), "{}", said(&lint));
    }
    installed(folder.path(), &first, &second);
}

/// Lives through an installation in an overlay over this machine's root, which is in memory and ends with the test.
fn installed(folder: &Path, first: &Path, second: &Path) {
    let script = folder.join("life");
    fs::write(&script, LIFE).unwrap();
    let inside = r#"
set -eu
top=$(mktemp -d)
mount -t tmpfs none "$top"
mkdir "$top/new" "$top/work" "$top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/new,workdir=$top/work" "$top/root" || exit 77
for folder in /proc /dev /sys "$(dirname "$1")"; do
    mkdir -p "$top/root$folder"
    mount --rbind "$folder" "$top/root$folder"
done
exec chroot "$top/root" bash "$@"
"#;
    let lived = Command::new("unshare")
        .env_clear() // what is set for tests is no setting of what has been installed
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .args([
            "--mount",
            "--propagation",
            "private",
            "bash",
            "-c",
            inside,
            "life",
        ])
        .args([&script, &first.to_owned(), &second.to_owned()])
        .output();
    match lived {
        Ok(lived) if lived.status.success() => assert!(said(&lived).contains("ALL WELL")),
        // Only root may do this, and not in every container.
        Ok(lived) if lived.status.code() == Some(77) || said(&lived).contains("unshare failed") => {
            eprintln!(
                "NOT CHECKED: no copy of this machine can be had: {}",
                said(&lived)
            );
        }
        Ok(lived) => panic!("{}", said(&lived)),
        Err(error) => eprintln!("NOT CHECKED: unshare can't be run: {error}"),
    }
}
