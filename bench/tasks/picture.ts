/** Rows of small pictures with a name before each, as one SVG that needs nothing else. */
import { greyPng } from './png.js';

/** A row: pictures one after the other, side × side each, from 0 (black) to 1 (white). */
export interface PictureRow {
  readonly name: string;
  readonly images: ArrayLike<number>;
}

const SCALE = 2;
const LABEL = 100;
const GAP = 4;

/** The images of a row side by side, as bytes, rows from the top. */
export function strip(images: ArrayLike<number>, side: number): Uint8Array {
  const count = images.length / side ** 2;
  const out = new Uint8Array(images.length);
  for (let k = 0; k < count; k += 1) {
    for (let i = 0; i < side; i += 1) {
      for (let j = 0; j < side; j += 1) {
        const value = images[(k * side + i) * side + j] ?? 0;
        out[(i * count + k) * side + j] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
    }
  }
  return out;
}

export function pictureOf(rows: readonly PictureRow[], side: number): string {
  const widths = rows.map(({ images }) => (images.length / side) * SCALE);
  const height = side * SCALE;
  const total = { width: LABEL + Math.max(0, ...widths) + GAP, height: rows.length * (height + GAP) + GAP };
  const lines = rows.flatMap(({ name, images }, i) => {
    const y = GAP + i * (height + GAP);
    const png = greyPng(strip(images, side), images.length / side).toString('base64');
    return [
      `<text x="${LABEL - 8}" y="${y + height / 2}" text-anchor="end" dominant-baseline="middle">${escaped(name)}</text>`,
      `<image x="${LABEL}" y="${y}" width="${widths[i]}" height="${height}" href="data:image/png;base64,${png}"/>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total.width}" height="${total.height}" font-family="sans-serif" font-size="14" image-rendering="pixelated">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
