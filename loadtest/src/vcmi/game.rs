//! A game of two: host and guest meet in a room, start, and are relayed; half of the time small messages go there and back,
//! the other half the host's server sends as fast as it can.

use std::{rc::Rc, time::Duration};

use anyhow::Context as _;
use futures_lite::{
    AsyncReadExt as _, AsyncWriteExt as _,
    future::{or, zip},
    io::split,
};
use glommio::{net::TcpStream, timer::Timer};

use super::{
    Run,
    launcher::{Launcher, packet},
};

/// A small message of a game.
const TRIP_BYTES: usize = 64;
/// One write of the fast half.
const BLOCK: usize = 64 << 10;
/// Between two small messages: a game sends some in a second, and a busy loop would only measure itself.
const TRIP_PAUSE: Duration = Duration::from_millis(2);

pub(super) async fn play(run: Rc<Run>, number: usize) -> anyhow::Result<()> {
    let (host, guest) = meet(&run, number).await?;
    let mut server = game(&run, "server", &host).await?;
    let mut client = game(&run, "client", &guest).await?;
    for side in [&mut server, &mut client] {
        greeted(side).await?;
    }
    run.joined.set(run.joined.get() + 1);
    let half = run.plan.duration / 2;
    round_trips(&run, &mut client, &mut server, half).await?;
    rush(&run, server, client, half).await
}

/// From signing in to the two uuids.
async fn meet(run: &Run, number: usize) -> anyhow::Result<(String, String)> {
    let (address, room) = (run.plan.server, format!("swarm room {number}"));
    let mut host = Launcher::sign_in(address, &format!("swarmhost{number}")).await?;
    let mut guest = Launcher::sign_in(address, &format!("swarmguest{number}")).await?;
    host.writer
        .send(&format!("<NEW>{room}<PSWD><COUNT>2<MODS>swarm&1"))
        .await?;
    host.expect("MODSOTHER:swarmhost").await?;
    guest
        .writer
        .send(&format!("<JOIN>{room}<PSWD><MODS>swarm&1"))
        .await?;
    guest.expect("MODS:").await?;
    guest.writer.send(&format!("<READY>{room}")).await?;
    guest.expect("STATUS:2:").await?;
    host.writer.send(&format!("<READY>{room}")).await?;
    let told = host.expect("HOST:").await?;
    let host_uuid = told.split(':').nth(1).context("HOST without a uuid")?;
    let told = guest.expect("START:").await?;
    let guest_uuid = told.split(':').nth(1).context("START without a uuid")?;
    Ok((host_uuid.to_owned(), guest_uuid.to_owned()))
}

async fn game(run: &Run, role: &str, uuid: &str) -> anyhow::Result<TcpStream> {
    let connected = TcpStream::connect(run.plan.server).await;
    let mut stream = connected.map_err(|error| anyhow::anyhow!("{error}"))?;
    stream
        .set_nodelay(true)
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut greeting = [
        packet("Aiya!\n"),
        packet(&format!("VCMI 1.4.5 ({role})")),
        packet(uuid),
    ]
    .concat();
    greeting.push(1);
    stream.write_all(&greeting).await?;
    Ok(stream)
}

/// Reads the other side's greeting: three frames and a byte.
async fn greeted(stream: &mut TcpStream) -> anyhow::Result<()> {
    for _ in 0..3 {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.context("no greeting")?;
        let mut frame = vec![0; u32::from_le_bytes(head).min(4096) as usize];
        stream.read_exact(&mut frame).await?;
    }
    stream.read_exact(&mut [0]).await?;
    Ok(())
}

async fn round_trips(
    run: &Run,
    client: &mut TcpStream,
    server: &mut TcpStream,
    length: Duration,
) -> anyhow::Result<()> {
    let until = run.clock.now_us() + length.as_micros() as u64;
    let mut message = [7; TRIP_BYTES];
    while run.clock.now_us() < until {
        let begun = run.clock.now_us();
        client.write_all(&message).await?;
        server.read_exact(&mut message).await?;
        server.write_all(&message).await?;
        client.read_exact(&mut message).await?;
        let took = run.clock.now_us().saturating_sub(begun).max(1);
        run.trips.borrow_mut().saturating_record(took);
        Timer::new(TRIP_PAUSE).await;
    }
    Ok(())
}

/// The host's server sends without pause, then ends; everything must arrive, and then the end.
async fn rush(
    run: &Run,
    server: TcpStream,
    client: TcpStream,
    length: Duration,
) -> anyhow::Result<()> {
    let begun = run.clock.now_us();
    let until = begun + length.as_micros() as u64;
    let ((_, mut to), (mut from, keep)) = (split(server), split(client));
    let send = async {
        let block = vec![1; BLOCK];
        let mut sent = 0;
        while run.clock.now_us() < until {
            to.write_all(&block).await?;
            sent += block.len() as u64;
        }
        to.close().await?;
        anyhow::Ok(sent)
    };
    let receive = async {
        let (mut buffer, mut got) = (vec![0; BLOCK], 0);
        loop {
            match from.read(&mut buffer).await? {
                0 => return anyhow::Ok(got),
                count => got += count as u64,
            }
        }
    };
    let patience = async {
        Timer::new(length + run.plan.grace).await;
        (Err(anyhow::anyhow!("out of patience")), Ok(0))
    };
    let (sent, got) = or(zip(send, receive), patience).await;
    drop(keep);
    let (sent, got) = (sent?, got?);
    run.relayed.set(run.relayed.get() + got);
    run.relay_us
        .set(run.relay_us.get() + (run.clock.now_us() - begun));
    anyhow::ensure!(sent == got, "{sent} bytes were sent and {got} arrived");
    Ok(())
}
