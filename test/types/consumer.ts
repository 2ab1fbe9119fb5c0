/** What a compiler says of the published declarations: compiled by published.test.ts, never run. */
import { fit, Model, train } from 'dladmm';
import { crossValidate } from 'dladmm/choosing';
import { type Dataset, loadDataset, readTable } from 'dladmm/data';

const rows = [{ age: 3, plan: 'pro', churned: 'no' }];
const labels = ['a', 'b'];
declare function takes<T>(value: T): void;

export async function classification(): Promise<void> {
  const { model, report } = await fit(rows, { target: 'churned', task: 'classification' });
  const { label, probability, probabilities } = await model.predict({ age: 4, plan: 'basic' });
  takes<string | number | boolean>(label);
  takes<number>(probability + (probabilities[0] as number));
  const many = await model.predict(rows);
  takes<number>(many.labels.length + many.probabilities.rows);
  takes<number>((await model.evaluate(rows)).accuracy);
  takes<number>(model.predictSync({ age: 4 }).probability);
  takes<string>(String(report) + report.warnings.join());
  // @ts-expect-error a class is no value
  takes<number>((await model.predict({ age: 4 })).value);
}

export async function files(): Promise<void> {
  const { train } = await readTable('flowers.parquet', { target: 'species' });
  const { model } = await fit(train, { layers: [4, 32, 3], standardise: true });
  await model.save('flowers.safetensors');
  const { label } = await (await Model.load('spam.safetensors')).predict({ text: 'You have won a prize' });
  takes<string | number | boolean | readonly (string | number)[] | undefined>(label);
  // @ts-expect-error a file may have no labels where nobody names them
  takes<object>((await readTable('flowers.parquet')).train);
}

interface Customer {
  readonly age: number;
  readonly plan?: string | null;
  readonly since: Date;
}

export async function interfaces(customers: readonly Customer[], customer: Customer): Promise<void> {
  async function* streamed(): AsyncGenerator<Customer> {
    yield customer;
  }
  const { model } = await fit(customers, { target: 'plan', task: 'classification', validation: streamed() });
  takes<number>((await model.predict(customer)).probability + model.predictSync(customer).probability);
  takes<number>((await model.predict(customers)).labels.length + model.predictSync(customers).labels.length);
  takes<number>((await model.predict(new Map([['age', [3, 4]]]))).labels.length);
  takes<number>((await model.predict({} as Record<string, unknown>)).probability);
  const { signal } = new AbortController();
  takes<number>((await model.predict(customer, { signal, ignore: ['since'] })).probability);
  takes<number>((await model.predict(streamed(), { signal })).labels.length);
  takes<number>((await model.predict([1, 2], { signal })).probability);
  // @ts-expect-error a record is no text
  await model.predict(customer, { delimiter: ';' });
  takes<number>((await model.evaluate(customers)).accuracy + (await fit(streamed(), { target: 'age' })).seconds);
  takes<string>(String(await crossValidate(customers, { target: 'plan' })));
  // @ts-expect-error texts are no rows
  await fit([['a'], ['b']], { target: 'plan' });
  // @ts-expect-error neither is a number
  await model.predict(3);
}

export async function regression(): Promise<void> {
  const { model } = await fit('houses.csv', {
    target: -1,
    task: 'regression',
    delimiter: ';',
    decimal: ',',
    header: true,
  });
  takes<number>((await model.predict({ rooms: 3 })).value);
  takes<undefined>((await model.predict('new.csv', { delimiter: ';' })).labels);
  takes<number>((await model.evaluate('new.csv', { target: 'price' })).rmse);
  const hinge = await fit(rows, { target: 'churned', loss: 'hinge' });
  // Probabilities are there once it has been calibrated.
  const { probability } = await hinge.model.predict({ age: 3 });
  takes<typeof probability>(0.5);
  takes<number | undefined>(probability);
  // @ts-expect-error it may not have been
  takes<number>((await hinge.model.predict({ age: 3 })).probability);
  takes<Model<'hinge'>>(await hinge.model.calibrate(rows));
  takes<string | number | boolean>((await hinge.model.predict({ age: 3 })).label);
}

export async function multiLabel(): Promise<void> {
  const { model } = await fit(rows, { target: 'tags', task: 'multi-label' });
  const { labels: told, probabilities } = await model.predict({ age: 4 });
  takes<readonly (string | number)[]>(told);
  takes<number | undefined>(probabilities[0]);
  takes<readonly (readonly (string | number)[])[]>((await model.predict(rows)).labels);
  takes<number>((await model.evaluate(rows)).microF1);
  // @ts-expect-error any number of labels is no class
  takes<string>((await model.predict({ age: 4 })).label);
  const lists = await fit({ x: [[1], [2]], labels: [['a', 'b'], []] });
  takes<number>((await lists.model.evaluate({ x: [[1]], labels: [['a']] })).exactMatch);
  const adam = await fit({ x: [[1], [2]], labels: [['a'], []] }, { layers: [1, 1], solver: 'adam' });
  takes<readonly (string | number)[] | undefined>((await adam.model.predict([[1]])).labels[0]);
}

export async function severalTargets(): Promise<void> {
  const values = await fit(rows, { target: ['age', 'size'], task: 'regression' });
  takes<number>((await values.model.evaluate(rows)).rmse);
  takes<string | readonly string[] | undefined>(values.model.target);
  const either = await fit(rows, { target: ['age', 'size'] });
  takes<Model<'squared-error' | 'sigmoid-cross-entropy'>>(either.model);
  // @ts-expect-error it may be values
  takes<number>((await either.model.predict(rows)).probabilities.rows);
  const counts = await fit(rows, { target: ['age', 'size'], loss: 'poisson', solver: 'adam' });
  takes<number>((await counts.model.predict({ age: 3 })).value);
}

export async function unknownTask(): Promise<void> {
  const { model } = await fit(rows, { target: 'churned', test: rows, validation: 'held.csv', ignore: ['age', 0] });
  takes<Model>(model);
  const { label, labels, probability, value } = await model.predict({ age: 4 });
  takes<string | number | boolean | undefined>(label);
  takes<readonly (string | number)[] | undefined>(labels);
  takes<number | undefined>(probability ?? value);
  // @ts-expect-error it may be a regression
  takes<number>(probability);
}

export async function samples(): Promise<void> {
  const x = [[1], [2]];
  const { model } = await fit({ x, labels });
  takes<number>((await model.predict(x)).labels.length);
  takes<number>((await model.predict([1])).probability);
  const values = await fit({ x, y: [1, 2] });
  takes<number>((await values.model.predict([1])).value);
  for await (const record of train(rows, { target: 'churned', solver: 'adam' })) takes<number>(record.loss);
  const named = await fit(rows, { target: 'churned', task: 'classification', solver: 'adam', beta1: 0.8 });
  takes<number>((await named.model.predict({ age: 3 })).probability);
}

export async function named(name: string): Promise<void> {
  const { train, test, classes } = await loadDataset('digits');
  takes<Int32Array>(train.labels);
  takes<string>(classes.join());
  takes<number>((await (await fit({ ...train, test })).model.evaluate(test)).accuracy);
  takes<number>((await loadDataset('diabetes', { download: false })).test.y.columns);
  takes<Dataset>(await loadDataset(name));
  // @ts-expect-error it may be one of values
  takes<object>((await loadDataset(name)).train.labels);
}

export async function mistakes(): Promise<void> {
  // @ts-expect-error a slip
  await fit(rows, { target: 'churned', hiden: [3] });
  // @ts-expect-error widths are numbers
  await fit(rows, { target: 'churned', hidden: ['100'] });
  // @ts-expect-error no such task
  await fit(rows, { target: 'churned', task: 'clustering' });
  // @ts-expect-error the name of another library
  await fit(rows, { target: 'churned', loss: 'mse' });
  // @ts-expect-error the name of another library
  await fit(rows, { target: 'churned', solver: 'lbfgs' });
  // @ts-expect-error an option of Keras
  await fit(rows, { target: 'churned', validationSplit: 0.2 });
  // @ts-expect-error an option of another solver
  await fit(rows, { target: 'churned', solver: 'adam', nu: 1 });
  // @ts-expect-error without the target
  await fit(rows, {});
  // @ts-expect-error several targets are columns too
  await fit(rows, { target: ['churned', true] });
  // @ts-expect-error yes or no
  await fit(rows, { target: 'churned', loss: 'hinge', calibrate: 'platt' });
  // @ts-expect-error a target is a column
  await fit(rows, { target: true });
  // @ts-expect-error patience is a number
  await fit(rows, { target: 'churned', earlyStopping: { patience: 'long' } });
  // @ts-expect-error no such way
  await fit(rows, { target: 'churned', missing: 'drop' });
  const judged = await fit({ x: [[1], [2]], labels: [0, 1] }, { solver: 'adam', hidden: [16], validationShare: 0.2 });
  await fit({ x: [[1], [2]], y: [0, 1] }, { solver: 'dladmm', hidden: [16], memory: '2GB' });
  console.log(String(judged.report));
  // @ts-expect-error no decimal sign
  await fit('a.csv', { target: 'churned', decimal: ';' });
  // @ts-expect-error no such option of reading
  await ({} as Model).predict('a.csv', { delimeter: ';' });
}
