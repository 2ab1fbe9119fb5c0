// npm install dladmm
import { fit } from 'dladmm';
import { importance } from 'dladmm/choosing';

const [file = 'houses.csv', target = 'price'] = process.argv.slice(2);
const { model, report } = await fit(file, { target });
console.log(String(report));
console.log(model.describe());
console.log(String(await importance(model, file))); // better by rows that the training has not seen
await model.save('houses.safetensors');
