// What frames a chart: title, notes, definition, the rows as a table, what is seen as a file; and the key figures.

const SVG = 'http://www.w3.org/2000/svg';
const MOST_ROWS = 500;
const COLUMNS = { ai_service: 'AI service', user_id: 'User', team_id: 'Team' };

/** A column's name in words. */
function sentence(column) {
  const words = column.replaceAll('_', ' ');
  return words[0].toUpperCase() + words.slice(1);
}

/** The rows of the mart that a card shows, as its table and CSV have them. */
function martRows({ table, rows }) {
  const names = Object.keys(table.columns);
  return { names, rows: rows.map((row) => names.map((name) => cell(table.columns[name], row))) };
}

/** A table whose columns sort on a click. Cells are {text, sort, onclick, bar}, or plain values. */
function sortableTable(header, rows, sortedBy = -1) {
  let [column, down] = [sortedBy, true];
  const body = element('tbody');
  const heads = header.map(({ text, number }, i) =>
    element('th', { scope: 'col', class: number ? 'number' : null },
      element('button', { type: 'button', onclick: () => { down = column === i ? !down : !!number; column = i; fill(); } }, text)));
  const key = (value) => (value !== null && typeof value === 'object' ? value.sort : value);
  function fill() {
    if (column >= 0) {
      rows.sort((a, b) => {
        const [x, y] = [key(a[column]), key(b[column])];
        if (x === null || y === null) return (x === null) - (y === null);
        return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
      });
    }
    heads.forEach((head, i) => head.setAttribute('aria-sort', i === column ? (down ? 'descending' : 'ascending') : 'none'));
    body.replaceChildren(...rows.slice(0, MOST_ROWS).map((row) => element('tr', {}, ...row.map((value, i) => tableCell(value, header[i].number)))));
  }
  fill();
  return element('table', { class: 'sortable' }, element('thead', {}, element('tr', {}, ...heads)), body);
}

function tableCell(value, number) {
  if (value === null || typeof value !== 'object') return element('td', { class: number ? 'number' : null }, value === null ? '' : String(value));
  const content = value.onclick ? element('button', { type: 'button', class: 'link', onclick: value.onclick }, value.text) : value.text;
  const made = element('td', { class: number ? 'number' : null, title: value.exact }, value.colour && swatch(value.colour), content);
  if (value.bar !== undefined) {
    const bar = element('span', { class: 'bar' });
    bar.style.width = `${value.bar * 100}%`;
    made.append(bar);
  }
  return made;
}

/** Hand over a file to save. */
function save(blob, name) {
  const address = URL.createObjectURL(blob);
  element('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

class Card {
  constructor(report, pick) {
    Object.assign(this, { report, pick, open: '' });
    const action = (name, text, title) => element('button', { type: 'button', title, 'aria-expanded': 'false', 'data-action': name, onclick: () => this.toggle(name) }, text);
    this.actions = [action('about', 'Definition', 'What this shows'), action('rows', 'Table', 'The rows behind it')];
    this.chipList = element('span', { class: 'chips' });
    this.body = element('div', { class: 'body' });
    this.holder = element('div', { class: 'chart', tabindex: '0', role: 'img' });
    this.message = element('p', { class: 'empty', hidden: true });
    this.legend = element('div', { class: 'legend' });
    this.panel = element('div', { class: 'panel', hidden: true });
    this.mart = element('code');
    this.png = element('button', { type: 'button', title: 'Download the chart', 'data-action': 'png', hidden: true, onclick: () => this.downloadPicture() }, 'PNG');
    this.body.append(this.holder, this.message, element('div', { class: 'foot' }, this.legend, this.mart));
    this.node = element('section', { class: `card ${report.wide ? 'wide' : ''} ${report.chart}`, id: report.id, 'aria-label': report.title },
      element('header', {},
        element('div', {}, element('h2', {}, report.title), element('p', {}, [report.note, report.hint].filter(Boolean).join(' '))),
        element('div', { class: 'actions' }, this.chipList, ...this.actions,
          element('button', { type: 'button', title: 'Download the rows', 'data-action': 'csv', onclick: () => this.download() }, 'CSV'),
          report.chart === 'table' ? null : this.png)),
      this.body, this.panel);
    if (report.chart !== 'table') {
      this.chart = new Chart(report, this.holder, pick);
      new ResizeObserver(() => this.resized()).observe(this.holder);
    }
  }

  width() { return this.holder.clientWidth || 600; }

  resized() {
    if (this.shown && this.holder.clientWidth && Math.abs(this.holder.clientWidth - this.shown) > 4) drawCard(this.report, this);
  }

  chips(chips) {
    this.chipList.replaceChildren(...chips.map(([text, missed]) => element('span', { class: missed ? 'chip missed' : 'chip', title: missed ? 'This filter cannot reach the report.' : null }, text)));
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
    if (text) this.png.hidden = true;
    this.holder.hidden = !!text;
    this.legend.hidden = !!text;
  }

  async show(show) {
    this.current = show;
    this.mart.textContent = `${show.source.mart.schema}.${show.source.name}`;
    this.say(show.points.size ? '' : this.report.empty);
    this.showPanel();
    this.node.dataset.mart = show.source.name;
    if (!show.points.size) return;
    if (!this.chart) return this.showTable(show);
    this.shown = this.holder.clientWidth;
    this.showLegend(show);
    await this.chart.draw(show);
    this.png.hidden = false;
    // After drawing: Vega gives the element a label of its own.
    this.holder.setAttribute('aria-label', this.summary(show));
  }

  summary(show) {
    const [name] = this.report.value;
    const total = exact(show.measure(name, show.source.rows, show.days), PAGE.measures[name].unit);
    const keys = [...show.points.values()];
    return `${this.report.title}: ${PAGE.measures[name].label} ${total}, from ${keys[0].title} to ${keys.at(-1).title}. Arrow keys read its points; Table has its rows.`;
  }

  showLegend(show) {
    const { domain, chart } = this.report;
    const present = domain && chart !== 'heatmap' ? domain.filter((name) => show.rows.some((row) => row.series === name)) : [];
    const named = chart !== 'spread' && !(chart === 'ranking' && !this.report.series) && present.length > 0;
    const buttons = named ? present.map((name) => {
      const byAi = this.report.series === 'ai_service';
      return element(byAi ? 'button' : 'span', byAi ? { type: 'button', onclick: () => set({ ai: state.ai === name ? '' : name }) } : {}, swatch(colourOf(this.report, name)), seriesName(this.report, name));
    }) : [];
    const marks = chart === 'spread' && show.rows.length ? this.report.value.map((name, i) => element('span', {}, element('i', { class: `mark mark${i}` }), PAGE.measures[name].label)) : [];
    this.legend.replaceChildren(...buttons, ...marks);
  }

  showTable(show) {
    const { report } = this;
    const names = report.value;
    const points = [...show.points.values()];
    const rows = points.map(({ id, title, rows: some, days }) => {
      const values = names.map((name) => show.measure(name, some, days));
      return { id, title, some, values };
    });
    const most = names.map((_, i) => Math.max(...rows.map(({ values }) => values[i] ?? 0)));
    const picks = ['ai_service', 'user_id'].includes(report.category);
    const header = [{ text: COLUMNS[report.category] || sentence(report.category) }, ...names.map((name) => ({ text: heading(name, show.source, show.days), number: true }))];
    const colours = report.category === 'ai_service';
    const cells = rows.map(({ id, title, some, values }) => [
      { text: title, sort: title.toLowerCase(), onclick: picks && id !== PAGE.others ? () => this.pick(report, id) : null, colour: colours ? colourOf(report, id) : null },
      ...values.map((value, i) => ({
        text: unknown(names[i], value, show.source.table, some) || compact(value, PAGE.measures[names[i]].unit), exact: exact(value, PAGE.measures[names[i]].unit), sort: value,
        bar: i === 0 && most[0] ? Math.max(0, value / most[0]) : undefined,
      })),
    ]);
    this.holder.replaceChildren(sortableTable(header, cells, 1));
    this.holder.removeAttribute('role');
    this.holder.dataset.drawn = rows.length;
  }

  toggle(name) {
    this.open = this.open === name ? '' : name;
    this.actions.forEach((button) => button.setAttribute('aria-expanded', String(button.dataset.action === this.open)));
    this.showPanel();
  }

  showPanel() {
    this.panel.hidden = !this.open || !this.current;
    if (this.panel.hidden) return;
    const { mart } = this.current.source;
    if (this.open === 'about') {
      const used = Object.keys(this.current.source.table.columns).filter((name) => mart.about[name]);
      this.panel.replaceChildren(element('p', {}, mart.description),
        element('dl', {}, ...used.flatMap((name) => [element('dt', {}, name), element('dd', {}, mart.about[name])])));
      return;
    }
    const { names, rows } = martRows(this.current.source);
    const header = names.map((name) => ({ text: name, number: typeof rows[0]?.[names.indexOf(name)] === 'number' }));
    const count = rows.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${rows.length.toLocaleString('en-US')} rows; CSV has all.` : `${rows.length.toLocaleString('en-US')} rows`;
    this.panel.replaceChildren(element('p', {}, count), element('div', { class: 'scroll', tabindex: '0' }, sortableTable(header, rows)));
  }

  download() {
    if (!this.current) return;
    const { names, rows } = martRows(this.current.source);
    save(new Blob([toCsv(names, rows)], { type: 'text/csv' }), `${this.current.source.name}.csv`);
  }

  async downloadPicture() {
    const canvas = await picture(this);
    canvas.toBlob((blob) => save(blob, `${this.report.id}.png`));
  }
}

class Figure {
  constructor(report) {
    this.report = report;
    this.number = element('strong');
    this.change = element('p');
    this.line = document.createElementNS(SVG, 'svg');
    this.line.setAttribute('aria-hidden', 'true');
    this.node = element('section', { class: 'figure', id: report.id, 'aria-label': report.title },
      element('h2', {}, report.title), element('div', {}, this.number, this.line), this.change);
    this.line.addEventListener('mousemove', (event) => this.hover(event));
    this.line.addEventListener('mouseleave', hideTooltip);
  }

  say(text) { this.change.textContent = text; }

  show(show, value, past, days, missed) {
    const { unit } = PAGE.measures[this.report.value[0]];
    this.current = show;
    this.number.textContent = unknown(this.report.value[0], value, show.source.table, show.source.rows) || compact(value, unit);
    this.number.title = exact(value, unit);
    this.node.dataset.value = value ?? '';
    this.sparkline(show.rows.map((row) => row.value));
    // Of a percentage the difference counts, in points: a share of a share tells nothing.
    const growth = past === null || value === null ? null : unit === 'share' ? value - past : past ? value / past - 1 : null;
    const sense = growth === null || !this.report.good || Math.abs(growth) < 0.0005 ? '' : (growth > 0) === (this.report.good === 'up') ? 'good' : 'bad';
    const before = `on the ${days === 1 ? 'day' : `${days} days`} before`;
    this.change.replaceChildren(...(missed.length ? [element('span', { class: 'chip missed' }, missed.join(', '))] : []),
      ...(growth === null ? [value === null ? 'nothing in this range' : past === 0 ? `none ${before}` : 'no earlier days to compare']
        : [element('b', { class: sense }, `${growth >= 0 ? '+' : '−'}${plain(Math.abs(growth) * 100, 1)}${unit === 'share' ? ' points' : '%'}`), ` ${before}`]));
    this.change.title = past === null ? '' : `${exact(past, unit)} before`;
  }

  sparkline(values) {
    const numbers = values.map((value) => value ?? 0);
    const most = Math.max(...numbers, 0) || 1;
    const x = (i) => (numbers.length > 1 ? (i / (numbers.length - 1)) * 116 + 2 : 60);
    const points = numbers.map((value, i) => `${x(i).toFixed(1)},${(29 - (value / most) * 26).toFixed(1)}`);
    this.line.setAttribute('viewBox', '0 0 120 32');
    this.line.setAttribute('preserveAspectRatio', 'none');
    const draw = (name, attributes) => {
      const node = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      return node;
    };
    const shapes = points.length > 1
      ? [draw('path', { class: 'under', d: `M${points.join('L')}L118,31L2,31Z` }), draw('path', { class: 'line', d: `M${points.join('L')}` })]
      : points.length ? [draw('path', { class: 'line', d: `M2,${points[0].split(',')[1]}H118` })] : [];
    this.line.replaceChildren(...shapes);
  }

  hover(event) {
    const keys = [...this.current.points.keys()];
    if (!keys.length) return;
    const box = this.line.getBoundingClientRect();
    const place = Math.round(((event.clientX - box.left) / box.width) * (keys.length - 1));
    showTooltip(breakdown(this.current, keys[Math.max(0, Math.min(keys.length - 1, place))]), this.report, '', event.clientX, event.clientY);
  }
}
