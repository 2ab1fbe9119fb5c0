import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(ROOT, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];
const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** The anchor of a heading, as code hosts make it: lower case, blanks to hyphens, all but letters, digits, - and _ left out. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
const anchorsOf = (page: string): readonly string[] =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

test.each(PAGES)('every link of %s leads to a file and a heading that are there', (page) => {
  const links = [...textOf(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => target);
  const broken = links.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test('every page of docs/ is linked from the README or from a page that it links', () => {
  const linked = new Set(
    PAGES.flatMap((page) =>
      [...textOf(page).matchAll(/\]\(([\w./-]+\.md)/g)].map(([, target = '']) => join(dirname(page), target)),
    ),
  );
  expect(PAGES.filter((page) => page.startsWith('docs/') && !linked.has(page))).toEqual([]);
});

test('the README is short', () => {
  expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(180);
});

test('every code of an error has its row in docs/errors.md, in the words of its declaration', () => {
  const declared = readFileSync(join(ROOT, 'src/core/errors.ts'), 'utf8').match(/(?<=^ \* )\| `ERR_.*$/gm) ?? [];
  const told = textOf('docs/errors.md').match(/^\| `ERR_.*$/gm);
  expect(told).toEqual(declared);
  expect(declared.length).toBeGreaterThan(10);
});
