// Numbers and dates as people read them; `exact` is for the hover and leaves nothing out.

const plain = (value, digits) => value.toLocaleString('en-US', { maximumFractionDigits: digits });

function threeDigits(value) {
  return plain(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function compactCount(value) {
  for (const [size, letter] of [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e4, 'K']]) {
    if (value >= size) return threeDigits(value / (letter === 'K' ? 1e3 : size)) + letter;
  }
  return value >= 100 ? plain(value, 0) : plain(value, value >= 10 ? 1 : 2);
}

function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours) return `${plain(hours, 0)} h` + (minutes ? ` ${minutes} min` : '');
  if (minutes) return `${minutes} min` + (minutes < 10 && seconds % 60 >= 1 ? ` ${Math.floor(seconds % 60)} s` : '');
  return `${threeDigits(seconds)} s`;
}

/** With `digits` after the point; zeros past the cents go, unless `all` are wanted in a column. */
function dollars(value, digits, all = false) {
  return value.toLocaleString('en-US', {
    style: 'currency', currency: 'USD', minimumFractionDigits: all ? digits : 2, maximumFractionDigits: digits,
  });
}

function compact(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (unit === 'usd') return value >= 1e5 ? '$' + compactCount(value) : dollars(value, value && value < 0.1 ? 4 : 2);
  if (unit === 'ms') return value < 999.5 ? `${threeDigits(value)} ms` : duration(value / 1000);
  if (unit === 's') return duration(value);
  if (unit === 'share') return plain(value * 100, value < 0.1 ? 2 : 1) + '%';
  return compactCount(value);
}

function exact(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (unit === 'usd') return dollars(value, 4, true);
  if (unit === 'ms') return `${plain(value, value < 100 ? 1 : 0)} ms`;
  if (unit === 's') return value < 60 ? `${plain(value, 1)} s` : `${plain(value, 0)} s (${duration(value)})`;
  if (unit === 'share') return plain(value * 100, 3) + '%';
  return plain(value, Number.isInteger(value) ? 0 : value < 10 ? 3 : 1);
}

/** A part of a whole in round percent; some, and be it little, is never shown as nothing. */
function roundShare(value) {
  return value > 0 && value < 0.005 ? '<1%' : `${Math.round(value * 100)}%`;
}

const DAY = 86_400_000;
const dateFormat = (options) => {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options });
  return (milliseconds) => format.format(milliseconds);
};
const shortDate = dateFormat({ day: 'numeric', month: 'short' });
const longDate = dateFormat({ day: 'numeric', month: 'short', year: 'numeric' });
const datesInWords = ([from, to]) => (from === to ? '' : `${longDate(from * DAY)} – `) + longDate(to * DAY);
const fullDate = dateFormat({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const isoDate = (day) => new Date(day * DAY).toISOString().slice(0, 10);
const isoHour = (hour) => new Date(hour * 3_600_000).toISOString().slice(0, 16).replace('T', ' ');
