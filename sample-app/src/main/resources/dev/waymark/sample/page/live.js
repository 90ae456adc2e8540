// The live page. What it shows comes as server-sent events from /live/events; text is only ever set as text.

const HISTORY = 120;
const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

// ---- the demo's token: in the fragment of the address, which no server and no log gets to see ----

const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem('waymark-demo-token', given);
  history.replaceState(null, '', location.pathname);
}
const token = sessionStorage.getItem('waymark-demo-token');

async function demo(path, method = 'POST') {
  const response = await fetch('/demo/' + path, {method, headers: {Authorization: 'Bearer ' + token}});
  const body = await response.json();
  return {ok: response.ok, status: response.status, body};
}

// One thing at a time, as the servers do it.
let busy = false;
async function act(path, button) {
  if (busy) {
    return;
  }
  busy = true;
  button.setAttribute('aria-busy', 'true');
  $('done').textContent = 'Working …';
  try {
    const {ok, body} = await demo(path);
    $('done').textContent = ok ? body.done : body.detail;
  } catch {
    $('done').textContent = 'The service did not answer.';
  } finally {
    busy = false;
    button.removeAttribute('aria-busy');
  }
}

async function offerDemo() {
  if (!token) {
    return;
  }
  try {
    const {ok, status, body} = await demo('state', 'GET');
    if (!ok) {
      // No demo, or another one than the token is of.
      if (status === 401 || status === 404) {
        sessionStorage.removeItem('waymark-demo-token');
      }
      return;
    }
    $('demo').hidden = false;
    document.body.dataset.demo = 'true';
    showTraffic(body.traffic);
  } catch {
    // The page is worth looking at without the buttons.
  }
}

function showTraffic(running) {
  $('traffic').setAttribute('aria-pressed', String(running));
  $('traffic').textContent = running ? 'Stop requests' : 'Send requests';
}

$('traffic').addEventListener('click', async (event) => {
  const running = event.currentTarget.getAttribute('aria-pressed') === 'true';
  await act(running ? 'traffic/stop' : 'traffic/start', event.currentTarget ?? $('traffic'));
  const {ok, body} = await demo('state', 'GET');
  if (ok) {
    showTraffic(body.traffic);
  }
});
$('flush').addEventListener('click', (event) => act('cache/flush', event.currentTarget));
$('redis-kill').addEventListener('click', (event) => act('redis/kill', event.currentTarget));
$('redis-start').addEventListener('click', (event) => act('redis/start', event.currentTarget));

// ---- making elements ----

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}

function setText(node, text) {
  // Only what changed, so that screen readers and selections are left alone.
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

const whole = new Intl.NumberFormat('en');
const rate = (value) => whole.format(Math.round(value)) + '/s';

function bytes(count) {
  if (count < 1024) {
    return count + ' B';
  }
  return count < 1048576 ? (count / 1024).toFixed(0) + ' kB' : (count / 1048576).toFixed(1) + ' MB';
}

// ---- shards and nodes: made once, then only their texts change, so that focus stays where it is ----

const shown = new Map();

function showShards(shards) {
  const names = shards.flatMap((shard) => shard.nodes.map((node) => node.node)).join();
  if ($('shards').dataset.names !== names) {
    $('shards').dataset.names = names;
    $('shards').replaceChildren(...shards.map(shardCard));
  }
  const most = Math.max(1, ...shards.flatMap((shard) => shard.nodes.map((node) => node.reads_per_second)));
  for (const shard of shards) {
    for (const node of shard.nodes) {
      showNode(node, most);
    }
  }
}

function shardCard(shard) {
  const card = element('article', 'shard');
  card.append(element('h3', '', shard.shard), element('p', '', 'keys ' + shard.ranges.join(', ')));
  const list = element('ul', 'nodes');
  for (const node of shard.nodes) {
    list.append(nodeLine(node.node));
  }
  card.append(list);
  return card;
}

function nodeLine(name) {
  const line = element('li', 'node');
  line.dataset.node = name;
  const top = element('div', 'top');
  const role = element('span', 'badge');
  const state = element('span', 'badge');
  const lag = element('span', 'lag');
  top.append(element('span', 'name', name), role, state, lag);

  const numbers = element('div', 'numbers');
  const reads = element('b', 'reads');
  const writes = element('b', 'writes');
  const readsText = element('span', '', 'reads ');
  readsText.append(reads);
  const writesText = element('span', '', 'writes ');
  writesText.append(writes);
  numbers.append(readsText, writesText);

  const meter = document.createElementNS(SVG, 'svg');
  meter.setAttribute('class', 'meter');
  meter.setAttribute('aria-hidden', 'true');
  meter.setAttribute('preserveAspectRatio', 'none');
  meter.setAttribute('viewBox', '0 0 100 1');
  const bar = document.createElementNS(SVG, 'rect');
  bar.setAttribute('height', '1');
  meter.append(bar);

  const buttons = element('div', 'buttons');
  const make = (action, label, className) => {
    const button = element('button', className, label);
    button.type = 'button';
    button.dataset.action = action;
    button.setAttribute('aria-label', label + ' ' + name);
    button.addEventListener('click', () => act('nodes/' + encodeURIComponent(name) + '/' + action, button));
    buttons.append(button);
    return button;
  };
  const offered = {
    pause: make('pause', 'Pause replay'),
    resume: make('resume', 'Resume'),
    promote: make('promote', 'Promote'),
    kill: make('kill', 'Kill', 'danger'),
    start: make('start', 'Bring back'),
  };
  line.append(top, numbers, meter, buttons);
  shown.set(name, {role, state, lag, reads, writes, bar, buttons, offered});
  return line;
}

function showNode(node, most) {
  const parts = shown.get(node.node);
  parts.role.hidden = node.role === 'down';
  setText(parts.role, node.role);
  parts.role.className = 'badge ' + node.role;
  setText(parts.state, node.state);
  parts.state.className = 'badge ' + node.state;
  setText(parts.lag, lagText(node));
  setText(parts.reads, rate(node.reads_per_second));
  parts.reads.title = whole.format(node.reads) + ' in all';
  setText(parts.writes, rate(node.writes_per_second));
  parts.writes.title = whole.format(node.writes) + ' in all';
  parts.bar.setAttribute('width', String(100 * node.reads_per_second / most));

  const demoIsOn = document.body.dataset.demo === 'true';
  parts.buttons.hidden = !demoIsOn;
  const replica = node.role === 'replica';
  parts.offered.pause.hidden = !replica;
  parts.offered.resume.hidden = !replica;
  parts.offered.promote.hidden = !replica;
  parts.offered.kill.hidden = node.role === 'down';
  parts.offered.start.hidden = node.role !== 'down';
}

function lagText(node) {
  if (node.role !== 'replica' || node.lag_millis == null) {
    return '';
  }
  if (node.lag_millis === 0 && !node.lag_bytes) {
    return 'no lag';
  }
  const size = node.lag_bytes == null ? '' : ', ' + bytes(node.lag_bytes);
  return (node.lag_millis < 1000 ? node.lag_millis + ' ms' : (node.lag_millis / 1000).toFixed(1) + ' s')
    + size + ' behind';
}

// ---- cache ----

function showCache(cache) {
  const tiers = {
    l1: {rate: cache.l1_hits_per_second, all: cache.l1_hits},
    l2: {rate: cache.l2_hits_per_second, all: cache.l2_hits},
    db: {rate: cache.misses_per_second, all: cache.misses},
  };
  const rates = Object.values(tiers).reduce((sum, tier) => sum + tier.rate, 0);
  const all = Object.values(tiers).reduce((sum, tier) => sum + tier.all, 0);
  for (const [name, tier] of Object.entries(tiers)) {
    // Of the last second, or while nobody asks, of all time.
    const share = rates > 0 ? tier.rate / rates : all > 0 ? tier.all / all : 0;
    setText($(name + '-share'), rates + all > 0 ? (100 * share).toFixed(0) + ' %' : '–');
    setText($(name + '-rate'), rate(tier.rate));
    setText($(name + '-all'), whole.format(tier.all));
    $('cache-bar').querySelector('.' + name).style.width = 100 * share + '%';
  }
  setText($('cache-state'),
    whole.format(cache.entries) + ' values in memory; Redis is ' + (cache.redis ? 'in use' : 'not in use')
      + '; a value is at most ' + cache.staleness_bound_millis + ' ms behind a change.');
}

// ---- the chart: p50 and p99 of each second, on a logarithmic scale ----

const past = [];

function remember(requests) {
  past.push(requests);
  if (past.length > HISTORY) {
    past.shift();
  }
}

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  if (text !== undefined) {
    made.textContent = text;
  }
  return made;
}

function showChart() {
  const width = 600, height = 220, left = 56, bottom = 22, top = 8;
  const values = past.flatMap((each) => [each.p50_millis, each.p99_millis]).filter((value) => value != null);
  if (values.length === 0) {
    return;
  }
  const low = Math.floor(Math.log10(Math.max(0.01, Math.min(...values))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(0.011, ...values))));
  const x = (index) => left + (width - left - 8) * (index + HISTORY - past.length) / (HISTORY - 1);
  const y = (value) => {
    const part = (Math.log10(Math.max(0.01, value)) - low) / (high - low);
    return height - bottom - (height - bottom - top) * part;
  };
  const parts = [];
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power);
    parts.push(svg('line', {class: 'grid', x1: left, x2: width - 8, y1: at, y2: at}));
    parts.push(svg('text', {x: left - 6, y: at + 4, 'text-anchor': 'end'}, 10 ** power + ' ms'));
  }
  parts.push(svg('text', {x: left, y: height - 5}, '2 min ago'));
  parts.push(svg('text', {x: width - 8, y: height - 5, 'text-anchor': 'end'}, 'now'));
  for (const name of ['p50', 'p99']) {
    let path = '';
    let open = false;
    past.forEach((each, index) => {
      const value = each[name + '_millis'];
      if (value != null) {
        path += (open ? 'L' : 'M') + x(index).toFixed(1) + ' ' + y(value).toFixed(1);
      }
      // A second without requests is a gap, not a zero.
      open = value != null;
    });
    parts.push(svg('path', {class: name, d: path}));
  }
  $('chart').replaceChildren(...parts);
  const last = past[past.length - 1];
  setText($('chart-text'), last.p50_millis == null
    ? 'No requests in the last second.'
    : rate(last.per_second) + ': half within ' + last.p50_millis.toFixed(1) + ' ms, 99 of 100 within '
      + last.p99_millis.toFixed(1) + ' ms.');
}

// ---- events ----

function showEvents(events) {
  const newest = events.length === 0 ? '' : events[0].at + events[0].text;
  if ($('events').dataset.newest === newest) {
    return;
  }
  $('events').dataset.newest = newest;
  $('events').replaceChildren(...events.map((event) => {
    const line = element('li');
    const time = element('time', '', new Date(event.at).toLocaleTimeString());
    time.dateTime = event.at;
    line.append(time, element('b', '', event.subject + ' '), event.text);
    return line;
  }));
}

// ---- the route of a key ----

$('route').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    const response = await fetch('/live/route?key=' + encodeURIComponent($('key').value));
    const body = await response.json();
    const lines = response.ok ? body.steps.map((step) => step.text) : [body.detail];
    $('steps').replaceChildren(...lines.map((text) => element('li', '', text)));
  } catch {
    $('steps').replaceChildren(element('li', '', 'The service did not answer.'));
  }
});

// ---- the stream ----

function connect() {
  const source = new EventSource('/live/events');
  source.addEventListener('open', () => {
    $('connection').className = 'badge live';
    setText($('connection'), 'live');
  });
  source.addEventListener('error', () => {
    $('connection').className = 'badge lost';
    setText($('connection'), 'connection lost, trying again');
    if (source.readyState === EventSource.CLOSED) {
      // After an answer that is no stream the browser gives up; a restarted service deserves another try.
      setTimeout(connect, 2000);
    }
  });
  source.addEventListener('history', (event) => {
    past.length = 0;
    JSON.parse(event.data).forEach(remember);
    showChart();
  });
  source.addEventListener('state', (event) => {
    const state = JSON.parse(event.data);
    setText($('map-version'), 'shard map version ' + state.map_version);
    showShards(state.shards);
    showCache(state.cache);
    remember(state.requests);
    showChart();
    showEvents(state.events);
  });
}

await offerDemo();
connect();
