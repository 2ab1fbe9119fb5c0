import type { ClassificationDataset, LabelledSamples } from 'dladmm';

/** The KDD 2019 paper trains on the first 55,000 images of MNIST. */
const PAPER_SAMPLES: Readonly<Record<string, number>> = { mnist: 55_000 };

/** The first `count` training samples of a set; by default as many as the paper takes. */
export function trainingSamples(
  { name, train: { x, labels } }: ClassificationDataset,
  count: number = PAPER_SAMPLES[name] ?? x.rows,
) {
  const rows = Math.min(count, x.rows);
  return {
    x: { ...x, data: x.data.subarray(0, rows * x.columns), rows },
    labels: labels.subarray(0, rows),
  } satisfies LabelledSamples;
}
