
'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  const HOUR_S = 3600, GAP_S = 25, ASK_MS = 5000, AGAIN_MS = 30000;
  const at = (id) => document.getElementById(id);

  // ---- words -----------------------------------------------------------------------------------------------------

  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const count = (n) => Math.round(n).toLocaleString('en');
  const short = (n) => {
    const size = Math.abs(n);
    const cut = (value) => String(Math.round(value * 100) / 100);
    if (size >= 1e9) return cut(n / 1e9) + 'G';
    if (size >= 1e6) return cut(n / 1e6) + 'M';
    if (size >= 1e4) return cut(n / 1e3) + 'k';
    return size >= 100 ? String(Math.round(n)) : cut(n);
  };
  const bytes = (n) => n < 1e3 ? Math.round(n) + ' B' : n < 1e6 ? (n / 1e3).toFixed(1) + ' kB' : (n / 1e6).toFixed(1) + ' MB';
  const time = (s) => s == null ? '–' : s < 1e-3 ? short(s * 1e6) + ' µs' : s < 1 ? short(s * 1e3) + ' ms' : short(s) + ' s';
  const span = (s) => {
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m >= 10 ? `${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
  };

  // ---- nodes -----------------------------------------------------------------------------------------------------

  const make = (name, text, attributes) => {
    const node = document.createElement(name);
    if (text != null) node.textContent = text;
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    return node;
  };
  const draw = (parent, name, attributes, text) => {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text != null) node.textContent = text;
    parent.append(node);
    return node;
  };
  /** Makes a list of nodes as long as a list of things, and lets each show its own. */
  const each = (parent, things, create, show) => {
    while (parent.children.length > things.length) parent.lastElementChild.remove();
    things.forEach((thing, place) => {
      if (place >= parent.children.length) parent.append(create(thing));
      show(parent.children[place], thing, place);
    });
  };
  /** Rows of a table: the first cell is a heading. */
  const table = (body, rows) => {
    const labels = [...(body.parentElement.tHead?.rows[0].cells ?? [])].map((cell) => cell.textContent);
    each(body, rows, () => make('tr'), (row, { key, cells }) => {
      if (row.dataset.key !== key) row.dataset.key = key;
      each(row, cells, () => row.children.length ? make('td') : make('th', '', { scope: 'row' }), (cell, text, place) => {
        if (labels[place] && cell.dataset.label !== labels[place]) cell.dataset.label = labels[place];
        say(cell, text);
      });
    });
  };

  // ---- charts ----------------------------------------------------------------------------------------------------

  const W = 360, H = 200, LEFT = 50, RIGHT = 14, TOP = 24, BOTTOM = 24;
  const roundStep = (about) => {
    const power = 10 ** Math.floor(Math.log10(about)), factor = about / power;
    return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
  };
  const CHARTS = [
    { title: 'Players', unit: 'players', of: 'players' },
    { title: 'Games', unit: 'games', of: 'games' },
    { title: 'Connections', unit: 'connections', curves: { connections: (p) => p.connections } },
    { title: 'Frames handled', unit: 'per second', curves: { frames: (p) => p.frames } },
    { title: 'Time to handle a frame', unit: 'ms', log: true, curves: { p50: (p) => p.p50 && p.p50 * 1e3, p99: (p) => p.p99 && p.p99 * 1e3 } },
    { title: 'Sent', unit: 'kB per second', curves: { sent: (p) => p.bytes_out / 1e3 } },
    { title: 'CPU', unit: 'cores', curves: { process: (p) => p.cpu, 'busiest shard': (p) => p.load } },
    { title: 'Resident memory', unit: 'MB', curves: { memory: (p) => p.resident / 1e6 } },
    { title: 'Slow readers', unit: 'connections', curves: { slow: (p) => p.slow_readers } },
  ];
  /** How much of the last hour is shown, in seconds, and where the axis has words. */
  const SPANS = [[300, 60], [600, 120], [900, 300], [1800, 600], [HOUR_S, 900]];
  let points = [];

  const curvesOf = (chart) => {
    if (!chart.of) return Object.entries(chart.curves);
    const names = [...new Set(points.flatMap((point) => Object.keys(point[chart.of])))];
    return names.map((name) => [name, (point) => point[chart.of][name]]);
  };
  const plot = (figure, chart) => {
    const svg = figure.querySelector('svg'), curves = curvesOf(chart);
    const now = points.length ? points[points.length - 1].t : 0;
    // A young server has more to show of its few minutes.
    const age = points.length ? now - points[0].t : 0, [shown, step] = SPANS.find(([span]) => span >= age) ?? SPANS.at(-1);
    const values = curves.flatMap(([, value]) => points.map(value)).filter((value) => value != null);
    const place = chart.log ? (value) => Math.log10(Math.max(value, 1e-4)) : (value) => value;
    let from = 0, to = 1, ticks = [];
    if (chart.log) {
      const places = values.map(place);
      from = Math.floor(Math.min(0, ...places)); to = Math.ceil(Math.max(from + 1, ...places));
      for (let power = from; power <= to; power++) ticks.push([power, short(10 ** power)]);
    } else {
      to = Math.max(Math.max(...values, 0) * 1.05 || 1, 0.05); // words have two decimals
      const apart = roundStep(to / 4);
      for (let value = 0; value <= to; value += apart) ticks.push([value, short(value)]);
    }
    const x = (t) => LEFT + (1 - (now - t) / shown) * (W - LEFT - RIGHT);
    const y = (value) => TOP + (1 - (value - from) / (to - from)) * (H - TOP - BOTTOM);
    svg.replaceChildren();
    draw(svg, 'text', { x: Math.max(LEFT - 6, chart.unit.length * 7.2), y: 12, 'text-anchor': 'end' }, chart.unit);
    for (const [value, word] of ticks) {
      draw(svg, 'path', { class: 'grid', d: `M${LEFT} ${y(value).toFixed(1)}H${W - RIGHT}` });
      draw(svg, 'text', { x: LEFT - 6, y: (y(value) + 4).toFixed(1), 'text-anchor': 'end' }, word);
    }
    for (let ago = shown; ago >= 0; ago -= step) {
      const minutes = ago / 60, here = x(now - ago);
      draw(svg, 'path', { class: 'grid', d: `M${here.toFixed(1)} ${H - BOTTOM}v4` });
      draw(svg, 'text', { x: Math.min(here, W - 14).toFixed(1), y: H - BOTTOM + 17, 'text-anchor': 'middle' }, minutes ? `−${minutes}` : 'now');
    }
    draw(svg, 'text', { x: W - RIGHT, y: 12, 'text-anchor': 'end' }, 'minutes');
    curves.forEach(([, value], number) => {
      let path = '', before = null;
      for (const point of points) {
        const is = value(point);
        if (is == null || now - point.t > HOUR_S) { before = null; continue; }
        const goesOn = before != null && point.t - before < GAP_S;
        path += `${goesOn ? 'L' : 'M'}${x(point.t).toFixed(1)} ${y(place(is)).toFixed(1)}${goesOn ? '' : 'h0'}`;
        before = point.t;
      }
      if (path) draw(svg, 'path', { class: `curve c${number % 4 + 1}`, d: path });
    });
    const last = points[points.length - 1];
    const words = curves.map(([name, value]) => {
      const is = last && value(last);
      return `${curves.length > 1 || chart.of ? name + ' ' : ''}${is == null ? '–' : short(is)}`;
    });
    svg.setAttribute('aria-label', `${chart.title}, ${chart.unit}, now ${words.join(', ')}`);
    each(figure.querySelector('.legend'), words, () => {
      const entry = make('span'), line = draw(entry, 'svg', { viewBox: '0 0 26 8', 'aria-hidden': 'true' });
      draw(line, 'path', { d: 'M1 4H25' });
      entry.append(make('span'));
      return entry;
    }, (entry, word, number) => {
      entry.querySelector('path').setAttribute('class', `curve c${number % 4 + 1}`);
      say(entry.lastElementChild, word);
    });
  };
  const picture = (title, viewBox) => {
    const figure = make('figure');
    figure.append(make('h3', title));
    draw(figure, 'svg', { viewBox, role: 'img' });
    figure.append(make('div', null, { class: 'legend' }));
    return figure;
  };
  const plotAll = () => each(at('charts'), CHARTS, (chart) => picture(chart.title, `0 0 ${W} ${H}`), plot);

  /** How many frames took how long: a bar for each bucket between the shortest and the longest. */
  const histogram = (figure, shard, bounds) => {
    const svg = figure.querySelector('svg'), counts = shard.counts, height = 96, floor = height - 20;
    say(figure.querySelector('h3'), `Shard ${shard.shard}`);
    const all = counts.reduce((sum, n) => sum + n, 0);
    const first = Math.max(0, counts.findIndex((n) => n > 0) - 1);
    const last = Math.min(counts.length - 1, counts.findLastIndex((n) => n > 0) + 1);
    say(figure.querySelector('.legend'), all ? `${count(all)} frames` : 'no frames in the last minute');
    svg.setAttribute('aria-label', `Shard ${shard.shard}: ${count(all)} frames, half of them within ${time(shard.p50)}, 99 % within ${time(shard.p99)}`);
    svg.replaceChildren();
    if (!all) return;
    const most = Math.max(...counts), width = (W - 20) / (last - first + 1);
    let free = 0;
    for (let bucket = first; bucket <= last; bucket++) {
      const left = 10 + (bucket - first) * width, tall = counts[bucket] ? Math.max(1.5, counts[bucket] / most * (floor - 4)) : 0;
      draw(svg, 'rect', { class: 'bar', x: left.toFixed(1), y: (floor - tall).toFixed(1), width: Math.max(1, width - 2).toFixed(1), height: tall.toFixed(1) });
      const word = bucket < bounds.length ? time(bounds[bucket]) : '', middle = left + width;
      if (word && middle - word.length * 3.6 >= free && middle + word.length * 3.6 < W) {
        draw(svg, 'text', { x: middle.toFixed(1), y: height - 4, 'text-anchor': 'middle' }, word);
        free = middle + word.length * 3.6 + 8;
      }
    }
    draw(svg, 'path', { class: 'grid', d: `M10 ${floor}H${W - 10}` });
  };

  // ---- what is now -----------------------------------------------------------------------------------------------

  const show = (now) => {
    const s = now.status, phase = at('phase');
    const drains = s.drains_in_s == null ? '' : `, ends in ${span(s.drains_in_s)}`;
    say(phase, s.phase + drains);
    phase.className = `phase ${s.phase === 'ready' && !drains ? 'good' : 'bad'}`;
    document.title = `muster ${s.phase}, ${count(now.players)} players`;
    say(at('about'), `version ${s.version}, up ${span(s.uptime_s)}, process ${s.pid}, ${s.shards} shard${s.shards === 1 ? '' : 's'}`);
    each(at('warnings'), s.warnings, () => make('p'), say);
    const tiles = [
      ['players', count(now.players), ''], ['games', count(now.games), ''],
      ['connections', count(s.connections), `of ${count(s.connections_limit)}`],
      ['frames', short(now.frames), 'per s'], ['sent', bytes(now.bytes_out), 'per s'], ['received', bytes(now.bytes_in), 'per s'],
      ['slow readers', count(now.slow_readers), ''], ['CPU', now.cpu.toFixed(2), 'cores'], ['memory', bytes(s.resident_bytes), ''],
    ];
    each(at('tiles'), tiles, () => {
      const tile = make('div');
      tile.append(make('dt'), make('dd'));
      tile.lastChild.append(make('span'), ' ', make('small'));
      return tile;
    }, (tile, [name, value, unit]) => {
      tile.dataset.key = name;
      say(tile.firstChild, name);
      say(tile.lastChild.firstChild, value);
      say(tile.lastChild.lastChild, unit);
    });
    const some = (n) => n == null ? '–' : count(n);
    table(at('lobbies'), now.lobbies.map((l) => ({ key: l.name, cells: [l.name, count(l.players), some(l.games_open), some(l.games_running), some(l.rooms)] })));
    const queues = now.queues.map((q) => ({ key: q.queue, cells: [q.queue, q.lobby, count(q.searching)] }));
    table(at('queues'), queues.length ? queues : [{ key: '', cells: ['none', '', ''] }]);
    table(at('shards'), now.shards.map((d) => ({
      key: String(d.shard),
      cells: [`shard ${d.shard}`, `${Math.round(d.load * 100)} %`, count(d.connections), short(d.frames), bytes(d.bytes_in), bytes(d.bytes_out), count(d.slow_readers), time(d.p50), time(d.p99), time(d.longest)],
    })));
    each(at('histograms'), now.shards, () => picture('', `0 0 ${W} 96`), (figure, shard) => histogram(figure, shard, now.bounds_s));
    each(at('health'), now.health, (part) => {
      const box = make('div'), body = make('tbody'), list = make('table');
      list.append(body);
      box.append(make('h3'), list);
      return box;
    }, (box, part) => {
      const head = box.firstChild;
      say(head, `${part.name}: ${part.state}`);
      head.className = part.well == null ? 'dim' : part.well ? 'good' : 'bad';
      box.lastChild.hidden = !part.rows.length;
      table(box.querySelector('tbody'), part.rows.map(([name, value]) => ({ key: name, cells: [name, short(value)] })));
    });
    for (const choice of document.querySelectorAll('select.lobby')) {
      each(choice, [choice.options[0].textContent, ...now.lobbies.map((l) => l.name)], () => make('option'), (option, name, place) => {
        if (place && option.value !== name) option.value = name;
        say(option, name);
      });
    }
    at('actions').hidden = !now.actions;
    at('no-actions').hidden = now.actions;
    if (now.point && !points.some((point) => point.t >= now.point.t)) {
      points.push(now.point);
      points = points.filter((point) => now.point.t - point.t <= HOUR_S);
      plotAll();
    }
    shownAt = Date.now();
  };

  // ---- where it comes from ---------------------------------------------------------------------------------------

  let source = null, asking = null, again = null, shownAt = null;
  const line = (text) => say(at('line'), text);
  const lost = () => line(shownAt ? `No connection. This is how it was at ${new Date(shownAt).toLocaleTimeString()}.` : 'No connection.');
  const remember = (text) => { points = JSON.parse(text); plotAll(); };

  const stop = () => {
    source?.close();
    clearInterval(asking);
    clearTimeout(again);
    source = asking = again = null;
  };
  const ask = async () => {
    try {
      const [now, hour] = await Promise.all([fetch('/api/status'), fetch('/api/history')]);
      if (!now.ok || !hour.ok) throw new Error();
      remember(await hour.text());
      show(await now.json());
      line('Many look at this page: it is brought up to date every five seconds.');
    } catch { lost(); }
  };
  const watch = () => {
    stop();
    source = new EventSource('/events');
    source.addEventListener('history', (event) => remember(event.data));
    source.addEventListener('now', (event) => { show(JSON.parse(event.data)); line('live'); });
    source.addEventListener('error', () => {
      if (source?.readyState !== EventSource.CLOSED) {
        // It asks again by itself, and is back before anybody has missed anything.
        setTimeout(() => { if (source && source.readyState !== EventSource.OPEN) lost(); }, 3000);
        return;
      }
      stop();
      ask();
      asking = setInterval(ask, ASK_MS);
      again = setTimeout(watch, AGAIN_MS);
    });
  };
  document.addEventListener('visibilitychange', () => document.hidden ? stop() : watch());

  // ---- actions ---------------------------------------------------------------------------------------------------

  const READ = {
    minutes: (text) => Math.round(Number(text) * 60),
    hours: (text) => text ? Math.round(Number(text) * 3600) : null,
    whom: (text, form) => ({ [form.querySelector('.by').value]: text.trim() }),
    optional: (text) => text.trim() || null,
  };
  const act = async (form) => {
    const said = at('said'), token = at('token').value.trim();
    said.className = 'bad';
    form.append(said); // where whoever acts is looking
    if (!token) { say(said, 'Give the token first.'); at('token').focus(); return; }
    const wish = { do: form.dataset.do };
    for (const field of form.querySelectorAll('[name]')) {
      const read = READ[field.dataset.kind] ?? ((text) => text);
      wish[field.name] = read(field.value, form);
    }
    if (wish.do === 'drain' && wish.in_s === 0 && !confirm('Begin the end of the server now?')) return;
    say(said, '…');
    try {
      const answer = await fetch('/api/ctl', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: JSON.stringify(wish),
      });
      if (!answer.ok) { say(said, await answer.text() || `refused: ${answer.status}`); return; }
      const reply = await answer.json();
      if (reply.done != null) said.className = 'good';
      say(said, reply.done ?? reply.refused ?? JSON.stringify(reply, null, 1));
    } catch { say(said, 'No connection: it is not known what became of it.'); }
  };
  for (const form of document.querySelectorAll('form')) {
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (form.dataset.do) act(form);
    });
  }

  plotAll();
  watch();
})();
