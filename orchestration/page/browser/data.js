// The marts in memory: columns of numbers, which are filtered, grouped and added up here.

/** Undo the packing: dates, hours and places in a list were written as steps. */
function unpack(columns) {
  const table = { length: columns.length ? columns[0].values.length : 0, columns: {} };
  for (const { name, sort, list, values: packed } of columns) {
    const values = [...packed];
    if (list || sort === 'date' || sort === 'hour') {
      for (let i = 1; i < values.length; i++) values[i] += values[i - 1];
    }
    table.columns[name] = { sort, list, values };
  }
  return table;
}

/** The same of one user's rows, which are written as they are, in no order. */
function fromRows(heads, rows) {
  const dated = heads.findIndex(({ sort }) => sort === 'date' || sort === 'hour');
  if (dated >= 0) rows.sort((a, b) => a[dated] - b[dated]);
  const table = { length: rows.length, columns: {} };
  heads.forEach(({ name, sort, list }, i) => { table.columns[name] = { sort, list, values: rows.map((row) => row[i]) }; });
  return table;
}

/** A cell as the mart has it. */
function cell(column, row) {
  const value = column.values[row];
  if (value === null) return null;
  if (column.list) return column.list[value];
  return column.sort === 'date' ? isoDate(value) : column.sort === 'hour' ? isoHour(value) : value;
}

/** The numbers of the rows from day to day where each column of `where` has its value. */
function select(table, date, [from, to], where) {
  const tests = Object.entries(where).map(([name, wanted]) => {
    const { values, list } = table.columns[name];
    return [values, list ? list.indexOf(wanted) : wanted];
  });
  const days = date && table.columns[date];
  const perDay = days && days.sort === 'hour' ? 24 : 1;
  const rows = [];
  for (let row = 0; row < table.length; row++) {
    if (days) {
      const day = days.values[row];
      if (day < from * perDay || day >= (to + 1) * perDay) continue;
    }
    if (tests.every(([values, wanted]) => values[row] === wanted)) rows.push(row);
  }
  return rows;
}

/** Map each value of `key` (a function of a row's number) to its rows. */
function groupRows(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const value = key(row);
    const group = groups.get(value);
    if (group) group.push(row);
    else groups.set(value, [row]);
  }
  return groups;
}

function sum(table, rows, name) {
  const { values } = table.columns[name];
  let total = null;
  for (const row of rows) if (values[row] !== null) total += values[row];
  return total;
}

/** What a measure comes to over some rows, by the way that its mart says it adds up. */
function measure({ how, of, by, steps, percent, from, to }, table, rows, days) {
  if (how === 'sum') return sum(table, rows, of);
  if (how === 'as is') return rows.length === 1 ? table.columns[of].values[rows[0]] : null;
  if (how === 'per day') return rows.length ? sum(table, rows, of) / days : null;
  if (how === 'mean') {
    const [values, weights] = [table.columns[of].values, table.columns[by].values];
    let [total, weight] = [0, 0];
    for (const row of rows) {
      if (values[row] === null) continue;
      total += values[row] * weights[row];
      weight += weights[row];
    }
    return weight ? total / weight : null;
  }
  if (how === 'percentile') {
    return percentile(table.columns, rows, percent / 100, of, from, to);
  }
  const stack = [];
  for (const step of steps) {
    if (typeof step === 'number') stack.push(step);
    else if (!'+-*/'.includes(step)) stack.push(sum(table, rows, step));
    else {
      const [right, left] = [stack.pop(), stack.pop()];
      if (left === null || right === null || (step === '/' && !right)) return null;
      stack.push({ '+': left + right, '-': left - right, '*': left * right, '/': left / right }[step]);
    }
  }
  return stack[0];
}

function percentile(columns, rows, share, of, from, to) {
  const [lows, highs] = [columns[from], columns[to]];
  // The list of bounds is in order, so that a bucket's place in it is its rank.
  const counts = new Float64Array(lows.list.length);
  const ends = new Array(lows.list.length);
  let total = 0;
  for (const row of rows) {
    const [bucket, count] = [lows.values[row], columns[of].values[row]];
    counts[bucket] += count;
    ends[bucket] = highs.values[row];
    total += count;
  }
  let before = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const [low, high, count] = [lows.list[bucket], highs.list[ends[bucket]], counts[bucket]];
    if (count && before + count >= share * total) return low + ((high - low) * (share * total - before)) / count;
    before += count;
  }
  return null;
}

/** A CSV file's text. A name that a spreadsheet would run as a formula gets an apostrophe. */
function toCsv(header, rows) {
  const quoted = (value) => {
    if (value === null || value === undefined) return '';
    const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(quoted).join(',')).join('\r\n') + '\r\n';
}
