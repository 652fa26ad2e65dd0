// The page: its state in the address, tabs, filters, cards. What is shown is in PAGE, see __init__.py.

const PAGE = JSON.parse(document.getElementById('page').textContent);
const byId = (id) => document.getElementById(id);
const RANGES = { 7: '7 days', 30: '30 days', 90: '90 days', all: 'All' };
const state = { tab: 'usage', range: '30', ai: '', user: '' };
const parts = new Map(Object.entries(PAGE.parts));
const tables = new Map();
const cards = new Map();

// Data too large to stand in this file lies beside it, in scripts: those load from disk too.
const waiting = new Map();
window.receive = (name, value) => waiting.get(name)?.(value);

function part(name) {
  if (!parts.has(name)) {
    parts.set(name, new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const missing = () => reject(new Error(`data/${name}.js is not beside this page.`));
      document.head.append(element('script', { src: `data/${name}.js`, onerror: missing }));
    }));
  }
  return parts.get(name);
}

async function table(mart, user) {
  const key = user ? `${mart} of ${user}` : mart;
  if (!tables.has(key)) {
    if (user) {
      const place = userPlaces.get(user);
      const { heads, users: rows } = await part(`users_${Math.floor(place / PAGE.users_per_file)}`);
      tables.set(key, fromRows(heads[mart], rows[place]?.[mart] || []));
    } else tables.set(key, unpack(await part(mart)));
  }
  return tables.get(key);
}

let users = [];
let userPlaces = new Map();
function userName(id) {
  const name = users[userPlaces.get(id)]?.[1];
  return name && !PAGE.shared_names.includes(name) ? name : id;
}

function rangeDays(range = state.range) {
  const [first, last] = [PAGE.first ?? 0, PAGE.last ?? 0];
  if (range === 'all') return [first, last];
  // No empty days before the first: one day of data is a page of one day.
  if (range in RANGES) return [Math.max(first, last - Number(range) + 1), last];
  return range.split('..').map((day) => Date.parse(day) / DAY);
}

/** The mart that a report reads now: the first that has the columns of the most active filters. */
function choose(report) {
  const [from, to] = rangeDays();
  const active = { date: from > PAGE.first || to < PAGE.last, ai: !!state.ai, user: !!state.user };
  const choices = [report.mart, ...(report.when_filtered || [])].map((name) => {
    const mart = PAGE.marts[name];
    const has = { date: !!mart.date, ai: mart.columns.includes('ai_service'), user: mart.columns.includes('user_id') };
    const reached = (filter) => has[filter] && !report.ignores?.includes(filter);
    const missed = Object.keys(active).filter((filter) => active[filter] && !reached(filter));
    return { name, mart, missed, reached };
  });
  return choices.reduce((best, choice) => (choice.missed.length < best.missed.length ? choice : best));
}

/** Its rows after the filters. */
async function sourceOf(report, range = rangeDays()) {
  const { name, mart, missed, reached } = choose(report);
  const byUser = state.user && reached('user');
  const data = await table(name, byUser ? state.user : '');
  const where = { ...report.where };
  if (state.ai && reached('ai')) where.ai_service = state.ai;
  for (const column of Object.keys(where)) if (!data.columns[column]) return { table: data, mart, name, missed, rows: [] };
  const rows = select(data, reached('date') ? mart.date : null, range, where);
  return { table: withUser(data, byUser), mart, name, missed, rows };
}

/** One user's days have no column for the user; a chart by user still asks for it. */
function withUser(data, byUser) {
  if (!byUser || data.columns.user_id) return data;
  const user_id = { sort: 'text', list: [state.user], values: new Array(data.length).fill(0) };
  return { ...data, columns: { ...data.columns, user_id } };
}

const MISSED = { date: 'all dates', ai: 'all AIs', user: 'all users' };

let refreshes = 0;

/** Draw the tab anew: what is in view at once, and then the rest, unless it is outdated by then. */
async function refresh(isStep = false) {
  const [started, mine] = [performance.now(), ++refreshes];
  writeAddress(isStep);
  showFilters();
  const reports = PAGE.reports.filter((report) => report.tab === state.tab);
  const seen = reports.filter(inView);
  await Promise.all(seen.map(draw));
  document.body.dataset.took = Math.round(performance.now() - started);
  await new Promise((resolve) => { setTimeout(resolve); });
  for (const report of reports.filter((one) => !seen.includes(one))) {
    if (mine !== refreshes) return;
    await draw(report);
  }
  if (mine === refreshes) document.body.dataset.ready = `${state.tab} ${location.hash}`;
}

function inView(report) {
  const { top, bottom } = cards.get(report.id).node.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

async function draw(report) {
  const card = cards.get(report.id);
  try {
    await (report.chart === 'figure' ? drawFigure(report, card) : drawCard(report, card));
  } catch (error) {
    card.say(error.message);
  }
}

async function drawCard(report, card) {
  const source = await sourceOf(report);
  source.width = card.width();
  const [from, to] = report.ignores?.includes('date') ? [PAGE.first, PAGE.last] : rangeDays();
  const range = [Math.max(from, PAGE.first), Math.min(to, PAGE.last)];
  const show = prepare(report, source, range);
  const filters = { date: datesInWords(range), ai: state.ai, user: state.user && userName(state.user) };
  for (const filter of source.missed) filters[filter] = MISSED[filter];
  show.said = [...Object.values(filters), ...show.chips].filter(Boolean);
  card.chips([...source.missed.map((filter) => [MISSED[filter], true]), ...show.chips.map((chip) => [chip, false])]);
  await card.show(show);
}

async function drawFigure(report, card) {
  const [from, to] = rangeDays();
  const days = to - from + 1;
  const source = await sourceOf(report);
  source.width = 200;
  const show = prepare(report, source, [from, to]);
  const before = await sourceOf(report, [from - days, from - 1]);
  const value = show.measure(report.value[0], source.rows, show.days);
  const whole = from - days >= PAGE.first;
  const past = whole ? measure(before.mart.measures[report.value[0]], before.table, before.rows, daysBetween(from - days, from - 1)) : null;
  card.show(show, value, past, days, source.missed.map((filter) => MISSED[filter]));
}

/** What is shown, in the address: what somebody chose is a step that Back undoes. */
function writeAddress(isStep) {
  const address = new URLSearchParams({ tab: state.tab, range: state.range });
  for (const filter of ['ai', 'user']) if (state[filter]) address.set(filter, state[filter]);
  if (location.hash.slice(1) === String(address)) return;
  if (isStep) history.pushState(null, '', `#${address}`);
  else history.replaceState(null, '', `#${address}`);
}

function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  const given = Object.fromEntries(address);
  state.tab = PAGE.tabs.includes(given.tab) ? given.tab : 'usage';
  state.range = given.range in RANGES ? given.range : possibleRange(given.range);
  byId('amended').textContent = given.range && given.range !== state.range ? `The address asked for ${given.range}, and shown is what there is.` : '';
  state.ai = PAGE.services.includes(given.ai) ? given.ai : '';
  state.user = userPlaces.has(given.user) ? given.user : '';
}

/** Days of an address in their order, as far as there are any; else the usual range. */
function possibleRange(range) {
  if (!/^\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d$/.test(range) || PAGE.last === null) return '30';
  const [from, to] = rangeDays(range).sort((a, b) => a - b);
  if (Number.isNaN(from + to) || from > PAGE.last || to < PAGE.first) return '30';
  return `${isoDate(Math.max(from, PAGE.first))}..${isoDate(Math.min(to, PAGE.last))}`;
}

function set(changes) {
  Object.assign(state, changes);
  byId('amended').textContent = '';
  return refresh(true);
}

function showFilters() {
  const [from, to] = rangeDays();
  document.querySelectorAll('[role=tab]').forEach((tab) => {
    const chosen = tab.dataset.tab === state.tab;
    tab.setAttribute('aria-selected', chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(`panel-${tab.dataset.tab}`).hidden = !chosen;
  });
  document.querySelectorAll('.ranges button').forEach((button) => button.setAttribute('aria-pressed', button.dataset.range === state.range));
  [byId('from').value, byId('to').value] = PAGE.last === null ? ['', ''] : [isoDate(from), isoDate(to)];
  byId('ai').value = state.ai;
  byId('user').value = state.user && userName(state.user);
  byId('reset').hidden = !state.ai && !state.user && state.range === '30';
}
