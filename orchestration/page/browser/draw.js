// From a report and the filters to what its chart draws: rows in the fields that charts/ names.

const MOST = 12;
const WEEK = 7;

/** The dates of a chart: days, weeks that end with the last day, or the hours of a short range. */
function datesOf(report, column, table, rows, [from, to]) {
  const { values, sort } = table.columns[column];
  if (report.ignores?.includes('date')) {
    const starts = [...new Set(rows.map((row) => values[row]))].sort((a, b) => a - b);
    const gaps = starts.slice(1).map((start, i) => start - starts[i]);
    const step = Math.min(...gaps, report.where?.period_type === 'month' ? 30 : WEEK);
    return { starts: starts.map((day) => day * DAY), step: step * DAY, by: report.where?.period_type, whole: true, of: (row) => values[row] * DAY };
  }
  const days = to - from + 1;
  const hourly = sort === 'hour';
  if (hourly && days <= WEEK) {
    const starts = Array.from({ length: days * 24 }, (_, hour) => from * DAY + (hour * DAY) / 24);
    return { starts, step: DAY / 24, by: 'hour', of: (row) => (values[row] * DAY) / 24 };
  }
  const dayOf = hourly ? (row) => Math.floor(values[row] / 24) : (row) => values[row];
  if (days <= 92) {
    const starts = Array.from({ length: days }, (_, i) => (from + i) * DAY);
    return { starts, step: DAY, by: 'day', of: (row) => dayOf(row) * DAY };
  }
  const weekOf = (day) => Math.max(from, to + 1 - WEEK * Math.ceil((to + 1 - day) / WEEK));
  const starts = [...new Set(Array.from({ length: days }, (_, i) => weekOf(from + i) * DAY))];
  return { starts, step: WEEK * DAY, by: 'week', of: (row) => weekOf(dayOf(row)) * DAY };
}

/** How many days a mean per day is over. */
function daysBetween(from, to) {
  return Math.max(1, Math.min(to, PAGE.last) - Math.max(from, PAGE.first) + 1);
}

function daysFrom(start, dates, [from, to]) {
  if (dates.step <= DAY) return 1;
  return daysBetween(Math.max(start / DAY, from), Math.min(start / DAY + dates.step / DAY - 1, to));
}

/**
 * Everything that one chart shows: `rows` for Vega, signals, and `points`, what each date or category
 * is made of: its title, the rows of the mart, and the days of means per day.
 */
function prepare(report, source, range) {
  const { table, mart, rows } = source;
  const show = { rows: [], signals: {}, points: new Map(), chips: [], report, source };
  show.measure = (name, some, days) => measure(mart.measures[name], table, some, days);
  show.days = daysBetween(...range);
  const value = report.value[0];
  if (!rows.length) return show;
  const text = (name) => (row) => cell(table.columns[name], row);
  const kinds = { figure: dated, area: dated, columns: dated, lines: dated, heatmap: heat, histogram };
  (kinds[report.chart] || byCategory)();
  return show;

  function dated() {
    const dates = datesOf(report, mart.date, table, rows, range);
    const [first, last] = [dates.starts[0], dates.starts.at(-1)];
    const byDate = groupRows(rows, dates.of);
    for (const start of dates.starts) {
      show.points.set(start, { title: dateTitle(start, dates, range), rows: byDate.get(start) || [], days: daysFrom(start, dates, range) });
    }
    // Where most days are empty, an area draws slopes that never were.
    const bars = report.chart === 'columns' || dates.starts.length < 3 || byDate.size < dates.starts.length * 0.6;
    const half = bars ? dates.step / 2 : 0;
    const ticks = Math.max(1, Math.ceil((dates.starts.length * (dates.by === 'hour' ? 84 : 62)) / source.width));
    Object.assign(show.signals, {
      from: first - half, to: last + half, step: dates.step,
      ticks: dates.starts.filter((_, i) => (dates.starts.length - 1 - i) % ticks === 0),
      date_format: dates.by === 'hour' && dates.starts.length <= 24 ? '%H:%M' : dates.by === 'hour' && dates.starts.length <= 48 ? '%-d %b %H:%M' : dates.by === 'month' ? '%b %Y' : '%-d %b',
    });
    show.dates = dates;
    show.bars = bars;
    if (dates.by && dates.by !== 'day') show.chips.push(`by ${dates.by}`);
    const additive = mart.measures[value].how === 'sum';
    const add = (series, points, name) => {
      const values = dates.starts.map((start) => {
        const some = points.get(start);
        if (!some) return additive ? 0 : null;
        const number = show.measure(name, some, show.points.get(start).days);
        return unknown(name, number, table, some) ? null : number;
      });
      values.forEach((number, i) => {
        const alone = (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
        show.rows.push({ date: dates.starts[i], series, value: number, rank: alone ? -1 : show.order?.get(series) ?? 0 });
      });
    };
    if (report.series) {
      const groups = groupRows(rows, text(report.series));
      show.order = new Map(report.domain.map((name, i) => [name, i]));
      for (const name of report.domain) if (groups.has(name)) add(name, groupRows(groups.get(name), dates.of), value);
    } else {
      for (const name of report.value) add(report.value.length > 1 ? PAGE.measures[name].label : '', byDate, name);
    }
    if (report.scale === 'log') logScale(show.rows.map((row) => row.value));
    else if (PAGE.measures[value].unit === 's') show.signals.value_ticks = wholeTimes(Math.max(...show.rows.map((row) => row.value ?? 0)));
  }

  function byCategory() {
    const groups = groupRows(rows, text(report.category));
    const totals = [...groups].map(([id, some]) => ({ id, some, total: show.measure(value, some, show.days) ?? 0 }));
    const rest = (id) => id === PAGE.others;
    const slow = report.chart === 'spread' && report.category !== 'user_id';
    totals.sort((a, b) => rest(a.id) - rest(b.id) || (slow ? a.total - b.total : b.total - a.total) || (a.id < b.id ? -1 : 1));
    const listed = totals.filter(({ total, some }) => total > 0 || report.chart === 'table' || unknown(value, total, table, some));
    const most = listed.slice(0, report.chart === 'table' ? listed.length : MOST);
    if (report.chart !== 'table' && listed.length > MOST) show.chips.push(`${MOST} of ${listed.length.toLocaleString('en-US')}`);
    const names = report.category === 'user_id' ? userName : (id) => id;
    for (const { id, some } of most) show.points.set(names(id), { id, title: names(id), rows: some, days: show.days });
    const all = listed.reduce((total, { total: one }) => total + one, 0);
    const unit = PAGE.measures[value].unit;
    const additive = mart.measures[value].how === 'sum';
    most.forEach(({ id, some, total }, rank) => {
      const base = { category: names(id), rank, series: report.category === 'ai_service' ? id : '' };
      if (report.chart === 'ranking') {
        const label = unknown(value, total, table, some) || compact(total, unit) + (additive && all ? `\u2002${roundShare(total / all)}` : '');
        if (!report.series) return show.rows.push({ ...base, start: 0, end: total, label });
        const parts = groupRows(some, text(report.series));
        let start = 0;
        const inside = report.domain.filter((name) => parts.has(name));
        inside.forEach((series, i) => {
          const end = start + (show.measure(value, parts.get(series), show.days) ?? 0);
          show.rows.push({ ...base, series, start, end, label: i === inside.length - 1 ? label : '' });
          start = end;
        });
      } else if (report.chart === 'compare') {
        report.value.forEach((name, place) => {
          const amount = show.measure(name, some, show.days);
          const share = (amount ?? 0) / (show.measure(name, rows, show.days) || 1);
          const label = unknown(name, amount, table, some) || compact(share, 'share');
          show.rows.push({ ...base, series: PAGE.measures[name].label, value: share, rank: rank * 2 + place, label });
        });
      } else if (report.chart === 'spread') {
        const [low, middle, high] = report.value.map((name) => show.measure(name, some, show.days));
        if (low) show.rows.push({ ...base, low, middle, high });
      }
    });
    if (report.chart !== 'compare') show.signals.y_step = Math.min(46, Math.max(25, 240 / Math.max(1, most.length)));
    if (report.chart === 'spread') logScale(show.rows.flatMap(({ low, high }) => [low, high]));
    else show.signals.top = Math.max(...show.rows.map((row) => row.end ?? row.value ?? 0)) * (source.width < 420 ? 1.5 : 1.28) || 1;
    show.signals.label_width = source.width < 420 ? 96 : 150;
    if (!show.rows.length && report.chart !== 'table') show.points.clear();
  }

  function heat() {
    const groups = groupRows(rows, (row) => `${text(report.row)(row)},${text(report.column)(row)}`);
    for (let row = 1; row <= 7; row++) {
      for (let column = 0; column < 24; column++) {
        const some = groups.get(`${row},${column}`) || [];
        const title = `${WEEKDAYS[row - 1]} ${String(column).padStart(2, '0')}:00–${String(column + 1).padStart(2, '0')}:00`;
        show.points.set(`${row},${column}`, { title, rows: some, days: show.days, row, column });
        show.rows.push({ row, column, value: show.measure(value, some, show.days) ?? 0 });
      }
    }
    show.signals.top = Math.max(1, ...show.rows.map((row) => row.value));
  }

  function histogram() {
    const from = Object.keys(table.columns).find((name) => name.includes('_from_'));
    const unit = from.split('_').at(-1);
    // Fourteen buckets of 5 % are one that is about twice as long as the one before.
    const place = (low) => (low < 1 ? 0 : Math.floor(Math.log(low * 1.001) / Math.log(1.05) / 14) + 1);
    const bound = (bar) => (bar ? 1.05 ** (14 * (bar - 1)) : 0);
    const groups = groupRows(rows, (row) => place(cell(table.columns[from], row)));
    const bars = [...groups.keys()];
    for (let bar = Math.min(...bars); bar <= Math.max(...bars); bar++) {
      const category = bar ? roughly(bound(bar), unit) : `< 1 ${unit}`;
      const title = `${compact(bound(bar), unit)} to ${compact(bound(bar + 1), unit)}`;
      show.points.set(category, { title, rows: groups.get(bar) || [], days: show.days });
      show.rows.push({ category, rank: bar, value: show.measure(value, groups.get(bar) || [], show.days) ?? 0 });
    }
  }

  function logScale(values) {
    const numbers = values.filter((number) => number > 0);
    if (!numbers.length) return;
    show.signals.bottom = Math.min(...numbers) * 0.85;
    show.signals.top = Math.max(...numbers) * 1.15;
    show.signals.value_ticks = LOG_TICKS.filter((tick) => tick >= show.signals.bottom && tick <= show.signals.top);
  }
}

const LOG_TICKS = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));

/** Up to five round times on an axis of seconds. */
function wholeTimes(most) {
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800].find((size) => most / size <= 5.5) ?? 86_400;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

/** A bound in one round number, so that no two bars are called the same. */
function roughly(bound, unit) {
  const seconds = unit === 'ms' ? bound / 1000 : bound;
  if (seconds >= 3600) return `${Math.round(seconds / 3600)} h`;
  if (seconds >= 59.5) return `${Math.round(seconds / 60)} min`;
  return seconds >= 1 ? `${Math.round(seconds)} s` : `${Math.round(bound)} ms`;
}

function dateTitle(start, dates, [, to]) {
  if (dates.by === 'hour') return `${fullDate(start)}, ${new Date(start).toISOString().slice(11, 16)}`;
  if (dates.by === 'month') return new Date(start).toLocaleString('en-GB', { timeZone: 'UTC', month: 'long', year: 'numeric' });
  if (dates.by !== 'week') return fullDate(start);
  const following = dates.starts[dates.starts.indexOf(start) + 1] ?? start + dates.step;
  const end = dates.whole ? start + dates.step - DAY : Math.min(following - DAY, to * DAY);
  return end === start ? fullDate(start) : `${shortDate(start)} – ${longDate(end)}`;
}

/** What a cost or a number of tokens goes without: how many requests of each sort, if any. */
function gaps(name, table, rows) {
  const isCost = PAGE.measures[name].unit === 'usd' && name !== 'reported_cost_usd';
  const isTokens = name.endsWith('_tokens') && name !== 'unpriced_tokens';
  const count = (column) => (table.columns[column] && sum(table, rows, column)) || 0;
  return [
    ['unpriced', isCost ? count('unpriced_requests') : 0],
    ['not told', isCost || isTokens ? count('requests_without_usage') : 0],
  ].filter(([, requests]) => requests);
}

/** A word for what nobody knows, which is not nothing; '' where a number stands. */
function unknown(name, value, table, rows) {
  return value ? '' : gaps(name, table, rows)[0]?.[0] ?? '';
}

/** What a hover says of a measure, and how many requests it goes without. */
function said(name, value, table, rows) {
  if (!value) return unknown(name, value, table, rows) || exact(value, PAGE.measures[name].unit);
  const without = gaps(name, table, rows).map(([word, requests]) => `${requests.toLocaleString('en-US')} ${word}`);
  return exact(value, PAGE.measures[name].unit) + (without.length ? ` (+ ${without.join(', ')})` : '');
}

/** What a measure is called over so many days: a mean per day says so. */
function heading(name, { mart }, days) {
  const { label } = PAGE.measures[name];
  return mart.measures[name].how === 'per day' && days > 1 ? `${label} a day` : label;
}

/** The table of the hover: each series (or measure) of a point, sorted, and what they come to. */
function breakdown(show, key) {
  const { report, source } = show;
  const point = show.points.get(key);
  const names = [...report.value, ...(report.hover || [])].filter((name) => source.mart.measures[name]);
  const { unit } = PAGE.measures[names[0]];
  const total = names.map((name) => show.measure(name, point.rows, point.days));
  if (!report.series) {
    const lines = names.map((name, i) => ({ name: heading(name, source, point.days), cells: [said(name, total[i], source.table, point.rows)] }));
    return { title: point.title, header: [], lines, total: null };
  }
  const additive = source.mart.measures[names[0]].how === 'sum' && unit !== 'share';
  const groups = groupRows(point.rows, (row) => cell(source.table.columns[report.series], row));
  const lines = [...groups].map(([name, some]) => ({ name, some, values: names.map((one) => show.measure(one, some, point.days)) }));
  lines.sort((a, b) => (b.values[0] ?? -1) - (a.values[0] ?? -1));
  const cells = (values, some) => {
    const texts = values.map((number, i) => said(names[i], number, source.table, some));
    // Of what nobody knows nobody knows the share.
    const isKnown = total[0] && !unknown(names[0], values[0], source.table, some);
    if (additive) texts.splice(1, 0, isKnown ? compact(values[0] / total[0], 'share') : '–');
    return texts;
  };
  const header = names.map((name) => heading(name, source, point.days));
  if (additive) header.splice(1, 0, 'Share');
  // Users, sessions and prompts of several AIs are no sum of theirs.
  const totals = names.map((name, i) => (source.mart.measures[name].how === 'per day' ? null : total[i]));
  return {
    title: point.title, header, total: lines.length > 1 ? cells(totals, point.rows) : null,
    lines: lines.map(({ name, values, some }) => ({ name, cells: cells(values, some) })),
  };
}
