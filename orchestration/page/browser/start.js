// Puts the page together once; from here on only refresh() draws.

function pick(report, id, active) {
  if (report.category === 'user_id' && id && id !== PAGE.others) return set({ user: state.user === id ? '' : id });
  const ai = report.category === 'ai_service' ? id : report.series === 'ai_service' ? active : '';
  if (ai) set({ ai: state.ai === ai ? '' : ai });
}

function makeTabs() {
  const list = document.querySelector('[role=tablist]');
  for (const name of PAGE.tabs) {
    const tab = element('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, 'data-tab': name, onclick: () => set({ tab: name }) },
      name[0].toUpperCase() + name.slice(1));
    list.append(tab);
    const panel = element('div', { role: 'tabpanel', id: `panel-${name}`, 'aria-labelledby': `tab-${name}`, hidden: true },
      element('div', { class: 'figures' }), element('div', { class: 'cards' }));
    document.querySelector('main').append(panel);
  }
  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const last = PAGE.tabs.length - 1;
    const place = step ? (PAGE.tabs.indexOf(state.tab) + step + last + 1) % (last + 1) : { Home: 0, End: last }[event.key];
    if (place === undefined) return;
    event.preventDefault();
    set({ tab: PAGE.tabs[place] });
    byId(`tab-${PAGE.tabs[place]}`).focus();
  });
  for (const report of PAGE.reports) {
    const isFigure = report.chart === 'figure';
    const card = isFigure ? new Figure(report) : new Card(report, pick);
    cards.set(report.id, card);
    byId(`panel-${report.tab}`).querySelector(isFigure ? '.figures' : '.cards').append(card.node);
  }
}

function makeFilters() {
  const ranges = document.querySelector('.ranges');
  for (const [range, text] of Object.entries(RANGES)) {
    ranges.append(element('button', { type: 'button', 'data-range': range, onclick: () => set({ range }) }, text));
  }
  for (const name of PAGE.services) byId('ai').append(element('option', { value: name }, name));
  byId('ai').addEventListener('change', () => set({ ai: byId('ai').value }));
  byId('reset').addEventListener('click', () => set({ range: '30', ai: '', user: '' }));
  document.querySelector('.filters').addEventListener('submit', (event) => event.preventDefault());
  for (const id of ['from', 'to']) {
    if (PAGE.last !== null) Object.assign(byId(id), { min: isoDate(PAGE.first), max: isoDate(PAGE.last) });
    byId(id).addEventListener('change', () => {
      const [from, to] = [byId('from').value, byId('to').value].map((text) => Date.parse(`${text}T00:00:00Z`) / DAY);
      const known = Number.isInteger(from) && Number.isInteger(to) && from <= to;
      const range = known ? possibleRange(`${isoDate(from)}..${isoDate(to)}`) : '30';
      byId(id).setAttribute('aria-invalid', range === '30');
      if (range !== '30') set({ range });
    });
  }
  const input = byId('user');
  const offer = () => {
    const typed = input.value.trim().toLowerCase();
    const found = [];
    for (const [id, name] of users) {
      if (found.length === 30) break;
      if (!typed || id.toLowerCase().includes(typed) || name.toLowerCase().includes(typed)) found.push(element('option', { value: userName(id) }, id));
    }
    byId('users').replaceChildren(...found);
  };
  input.addEventListener('focus', () => { input.select(); offer(); });
  input.addEventListener('input', offer);
  input.addEventListener('change', () => {
    const typed = input.value.trim();
    const known = users.find(([id]) => id === typed) || users.find(([id]) => userName(id).toLowerCase() === typed.toLowerCase());
    input.setAttribute('aria-invalid', !!typed && !known);
    if (known || !typed) set({ user: known ? known[0] : '' });
  });
}

function makeTheme() {
  const stored = (() => { try { return localStorage.getItem('theme'); } catch { return null; } })();
  if (stored) document.documentElement.dataset.theme = stored;
  byId('theme').addEventListener('click', () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    document.documentElement.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem('theme', document.documentElement.dataset.theme); } catch { /* from disk there may be no storage */ }
  });
}

async function start() {
  users = await part('users');
  userPlaces = new Map(users.map(([id], place) => [id, place]));
  byId('data-to').textContent = PAGE.last === null ? 'No events yet' : `Data to ${longDate(PAGE.last * DAY)}`;
  byId('built').textContent = `Built ${PAGE.built_at}; days are in ${PAGE.zone}. Every report names the table that it reads: BI tools find the same in reports.duckdb and in parquet/.`;
  makeTabs();
  makeFilters();
  makeTheme();
  readAddress();
  addEventListener('hashchange', () => { readAddress(); refresh(); });
  addEventListener('scroll', hideTooltip, { passive: true });
  await refresh();
}

start();
