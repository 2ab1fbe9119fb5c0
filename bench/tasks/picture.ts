/** Rows of small pictures with a name before each, as one SVG that needs nothing else. */
import { PNG } from 'pngjs';
import type { TaskResult } from './result.js';

/** A row as a result file keeps it: its pictures side by side in one grey PNG file. */
export interface PictureRow {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** In base 64. */
  readonly png: string;
}

const SCALE = 2;
const LABEL = 100;
const GAP = 4;

/** The images of a row side by side, as bytes, rows from the top: 0 is black, and what was below 0 or above 1 is cut. */
export function strip(images: ArrayLike<number>, side: number): Uint8Array {
  const count = images.length / side ** 2;
  return Uint8Array.from({ length: images.length }, (_, at) => {
    const [i, k, j] = [Math.floor(at / (side * count)), Math.floor(at / side) % count, at % side];
    return Math.round(255 * Math.min(1, Math.max(0, images[(k * side + i) * side + j] ?? 0)));
  });
}

/** @param images one after the other, side × side each, from 0 (black) to 1 (white) */
export function rowOf(name: string, images: ArrayLike<number>, side: number): PictureRow {
  const picture = new PNG({ width: images.length / side, height: side });
  picture.data = Buffer.from(strip(images, side));
  const png = PNG.sync.write(picture, { colorType: 0, inputColorType: 0, inputHasAlpha: false });
  return { name, width: picture.width, height: side, png: png.toString('base64') };
}

/** Test images, and what each method makes of them. */
export const reconstructions = ({ originals, runs }: Pick<TaskResult, 'originals' | 'runs'>): string =>
  pictureOf([originals, ...runs.map(({ picture }) => picture)].filter((row) => row !== undefined));

export function pictureOf(rows: readonly PictureRow[]): string {
  const height = (rows[0]?.height ?? 0) * SCALE;
  const width = LABEL + Math.max(0, ...rows.map((row) => row.width * SCALE)) + GAP;
  const lines = rows.flatMap((row, i) => {
    const y = GAP + i * (height + GAP);
    return [
      `<text x="${LABEL - 8}" y="${y + height / 2}" text-anchor="end" dominant-baseline="middle">${escaped(row.name)}</text>`,
      `<image x="${LABEL}" y="${y}" width="${row.width * SCALE}" height="${height}" href="data:image/png;base64,${row.png}"/>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${rows.length * (height + GAP) + GAP}" font-family="sans-serif" font-size="14" image-rendering="pixelated">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
