// A Vega view in a card, and what the mouse, the keyboard and a click find in it.

const ERRORS_ONLY = 1;
const tooltip = document.getElementById('tooltip');

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  // Names from events come this way: append() makes text of them, never markup.
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const colourOf = (report, series) => {
  const place = (report.domain || []).indexOf(series);
  return place < 0 ? 'var(--accent)' : report.colours[place];
};

/** AIs are called what they are called; other series are words of a column. */
const seriesName = (report, name) => (report.series && report.series !== 'ai_service' ? name.replaceAll('_', ' ') : name);

function swatch(colour) {
  const made = element('i', { class: 'swatch' });
  made.style.background = colour;
  return made;
}

/** A colour such as var(--ink) as the theme has it now, for what knows no variables. */
function resolved(colour) {
  const probe = swatch(colour);
  document.body.append(probe);
  const { backgroundColor } = getComputedStyle(probe);
  probe.remove();
  return backgroundColor;
}

function showTooltip({ title, header, lines, total }, report, active, x, y) {
  const row = (name, cells, colour) =>
    element('tr', name === active ? { class: 'active' } : {},
      element('th', { scope: 'row' }, colour && swatch(colour), seriesName(report, name)),
      ...cells.map((text) => element('td', {}, text)));
  const coloured = (name) => (report.series || report.domain?.includes(name) ? colourOf(report, name) : null);
  tooltip.replaceChildren(
    element('strong', {}, title),
    lines.length
      ? element('table', {},
          header.length ? element('thead', {}, element('tr', {}, element('td'), ...header.map((text) => element('th', { scope: 'col' }, text)))) : null,
          element('tbody', {}, ...lines.slice(0, 16).map(({ name, cells }) => row(name, cells, coloured(name)))),
          total && element('tfoot', {}, row('Total', total)))
      : element('p', {}, 'Nothing here.'),
  );
  tooltip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tooltip;
  const left = x + 18 + width > innerWidth - 8 ? x - width - 18 : x + 18;
  tooltip.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  tooltip.style.top = `${Math.max(8, Math.min(y - height / 3, innerHeight - height - 8))}px`;
}

const hideTooltip = () => { tooltip.hidden = true; };

/** One chart: made once, given new rows whenever a filter changes. */
class Chart {
  constructor(report, holder, onPick) {
    Object.assign(this, { report, holder, onPick, view: null, kind: null, key: null, active: '' });
    holder.addEventListener('mousemove', (event) => this.hover(event));
    holder.addEventListener('mouseleave', () => this.leave());
    holder.addEventListener('blur', () => this.leave());
    holder.addEventListener('keydown', (event) => this.step(event));
    holder.addEventListener('click', (event) => this.pick(event));
  }

  async draw(show) {
    this.show = show;
    this.leave();
    const kind = this.report.chart === 'area' && show.bars ? 'columns' : this.report.chart;
    if (!this.view || kind !== this.kind) {
      this.view?.finalize();
      const spec = structuredClone(PAGE.specs[this.report.id][kind]);
      const view = await this.embed(this.holder, spec);
      [this.view, this.kind, this.marks] = [view, kind, spec.data.some(({ name }) => name === 'hovered')];
      view.addEventListener('mouseover', (_, item) => this.over(item));
      view.addEventListener('mouseout', () => this.over(null));
      // The card says what it shows; what Vega says of its parts only repeats it.
      this.holder.querySelector('svg').setAttribute('aria-hidden', 'true');
    } else {
      for (const [name, value] of Object.entries(show.signals)) this.view.signal(name, value);
      await this.view.width(this.holder.clientWidth).data('rows', show.rows).runAsync();
    }
    this.holder.dataset.drawn = show.rows.length;
  }

  /** A view of the chart in an element, from its spec. */
  async embed(holder, spec) {
    const { rows, signals } = this.show;
    // With its rows and signals from the start it is worked out once, not first without them.
    spec.width = this.holder.clientWidth;
    spec.data.find(({ name }) => name === 'rows').values = structuredClone(rows);
    for (const signal of spec.signals) if (signal.name in signals) signal.value = signals[signal.name];
    const { view } = await vegaEmbed(holder, spec, {
      mode: 'vega', ast: true, renderer: 'svg', actions: false, defaultStyle: false, tooltip: false,
      logLevel: ERRORS_ONLY,
    });
    return view;
  }

  /** The chart on a canvas, which knows no variables: the theme's colours stand in their place. */
  async toCanvas(scale) {
    const text = JSON.stringify(PAGE.specs[this.report.id][this.kind]);
    const spec = JSON.parse(text.replace(/var\(--[\w-]+\)/g, resolved));
    const view = await this.embed(element('div'), spec);
    const canvas = await view.toCanvas(scale);
    view.finalize();
    return canvas;
  }

  over(item) {
    const datum = item?.datum;
    const series = this.report.chart === 'histogram' ? datum?.category : datum?.series ?? datum?.datum?.series;
    this.active = series ?? '';
    if (this.view) this.view.signal('active', this.active).runAsync();
  }

  /** The point under the mouse: the nearest date, or the category of that row or column. */
  keyAt(event) {
    const box = this.holder.querySelector('svg').getBoundingClientRect();
    const [left, top] = this.view.origin();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    const { chart } = this.report;
    if (chart === 'heatmap') return `${invert(this.view.scale('y'), y)},${invert(this.view.scale('x'), x)}`;
    if (chart === 'histogram') return invert(this.view.scale('x'), x);
    if (!this.show.dates) return invert(this.view.scale('y'), y);
    const time = +this.view.scale('x').invert(x);
    const nearest = (best, start) => (Math.abs(start - time) < Math.abs(best - time) ? start : best);
    return this.show.dates.starts.reduce(nearest);
  }

  hover(event) {
    if (!this.view || !this.show?.points.size) return;
    const key = this.keyAt(event);
    if (!this.show.points.has(key)) return this.leave();
    this.point(key, event.clientX, event.clientY);
  }

  point(key, x, y) {
    if (key !== this.key) {
      this.key = key;
      const { row, column } = this.show.points.get(key);
      const hovered = row ? [{ row, column }] : this.show.dates ? this.show.rows.filter(({ date }) => date === key) : [];
      this.mark(['area', 'columns'].includes(this.kind) ? hovered.slice(0, 1) : hovered);
    }
    showTooltip(breakdown(this.show, key), this.report, this.active, x, y);
  }

  leave() {
    hideTooltip();
    if (this.key === null) return;
    this.key = null;
    this.active = '';
    this.view?.signal('active', '');
    this.mark([]);
  }

  /** Show the crosshair, dots or outline of these rows; charts by category have none. */
  mark(hovered) {
    if (this.marks) this.view.data('hovered', hovered);
    this.view?.runAsync();
  }

  /** Arrow keys walk over the points; Enter picks one, Escape leaves. */
  step(event) {
    const keys = [...(this.show?.points.keys() || [])];
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key === 'Escape') return this.leave();
    if (event.key === 'Enter' && this.key !== null) return this.onPick(this.report, this.show.points.get(this.key).id);
    if (!(event.key in steps) || !keys.length) return;
    event.preventDefault();
    const place = this.key === null ? (steps[event.key] > 0 ? 0 : keys.length - 1) : keys.indexOf(this.key) + steps[event.key];
    const key = keys[Math.min(keys.length - 1, Math.max(0, place))];
    const box = this.holder.getBoundingClientRect();
    const x = this.show.dates ? this.view.origin()[0] + this.view.scale('x')(key) : box.width / 2;
    const y = !this.show.dates && this.view.scale('y')?.bandwidth ? this.view.scale('y')(key) ?? 60 : 60;
    this.point(key, box.left + x, box.top + y);
  }

  pick(event) {
    if (!this.view || !this.show?.points.size) return;
    const point = this.show.points.get(this.keyAt(event));
    this.onPick(this.report, point?.id, this.active);
  }
}

function invert(scale, position) {
  const domain = scale.domain();
  const step = scale.step();
  const start = scale(domain[0]) - (step - scale.bandwidth()) / 2;
  return domain[Math.floor((position - start) / step)];
}
