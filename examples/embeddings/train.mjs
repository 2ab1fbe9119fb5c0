// npm install dladmm
import { fit } from 'dladmm';

const WIDTH = 768;

/** Stands for a model that embeds texts: here vectors about a direction for each topic, drawn by a seed. */
export async function* embedded(texts, seed = 1) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const directions = new Map();
  for (const { topic } of texts) {
    if (!directions.has(topic))
      directions.set(
        topic,
        Float32Array.from({ length: WIDTH }, () => uniform() - 0.5),
      );
    const direction = directions.get(topic);
    yield { x: direction.map((value) => 0.4 * value + uniform() - 0.5), label: topic };
  }
}

const TOPICS = ['billing', 'delivery', 'returns', 'praise'];
const texts = Array.from({ length: 4000 }, (_, i) => ({ topic: TOPICS[i % TOPICS.length] }));

const { model, report } = await fit({ x: embedded(texts) }, { hidden: [64] });
console.log(String(report));
await model.save(process.argv[2] ?? 'topics.safetensors');
