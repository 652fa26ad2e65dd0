// What a card shows as a PNG: its chart, and drawn around it the title, note, filters and legend.

const SCALE = 2;
const MARGIN = 20;

/** The text in lines that are no wider than `width`, in the pen's font. */
function wrapped(pen, text, width) {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && pen.measureText(longer).width > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** Draw a card of the page on a canvas, in the colours of the theme. */
async function picture({ report, chart, current, legend, mart }) {
  const drawn = await chart.toCanvas(SCALE);
  const [width, height] = [drawn.width / SCALE, drawn.height / SCALE];
  const canvas = element('canvas');
  const pen = canvas.getContext('2d');
  const { fontFamily } = getComputedStyle(document.body);
  const [ink, muted] = ['var(--ink)', 'var(--muted)'].map(resolved);
  // How high all of it is shows only at its end; a canvas forgets what it has when it is resized.
  const steps = [];
  let y = MARGIN;
  const write = (text, font, colour, x, middle) => steps.push(() => {
    Object.assign(pen, { font, fillStyle: colour, textBaseline: 'middle' });
    pen.fillText(text, x, middle, width);
  });
  for (const [text, style, colour, line] of [
    [report.title, '600 15px', ink, 22], [report.note, '13px', muted, 19], [current.said.join(' · '), '13px', muted, 19],
  ]) {
    pen.font = `${style} ${fontFamily}`;
    for (const part of text ? wrapped(pen, text, width) : []) {
      write(part, pen.font, colour, MARGIN, y + line / 2);
      y += line;
    }
  }
  const top = y + 14;
  steps.push(() => pen.drawImage(drawn, MARGIN, top, width, height));
  y = top + height + 22;

  let x = MARGIN;
  const next = (length) => {
    if (x > MARGIN && x + length > MARGIN + width) [x, y] = [MARGIN, y + 20];
  };
  pen.font = `12.5px ${fontFamily}`;
  for (const item of legend.children) {
    const icon = getComputedStyle(item.firstElementChild);
    const size = parseFloat(icon.width);
    const text = size + 7;
    const length = text + pen.measureText(item.textContent).width;
    next(length);
    const [left, middle] = [x, y];
    steps.push(() => {
      pen.beginPath();
      pen.roundRect(left, middle - size / 2, size, size, parseFloat(icon.borderRadius));
      Object.assign(pen, { fillStyle: icon.backgroundColor, strokeStyle: icon.borderColor, lineWidth: parseFloat(icon.borderWidth) });
      pen.fill();
      if (parseFloat(icon.borderWidth)) pen.stroke();
    });
    write(item.textContent, pen.font, muted, x + text, y);
    x += length + 16;
  }
  pen.font = '11px ui-monospace, Menlo, Consolas, monospace';
  const { width: length } = pen.measureText(mart.textContent);
  next(length);
  write(mart.textContent, pen.font, muted, MARGIN + width - length, y);

  Object.assign(canvas, { width: (width + 2 * MARGIN) * SCALE, height: (y + MARGIN) * SCALE });
  pen.scale(SCALE, SCALE);
  pen.fillStyle = resolved('var(--card)');
  pen.fillRect(0, 0, canvas.width, canvas.height);
  for (const step of steps) step();
  return canvas;
}
