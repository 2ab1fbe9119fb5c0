// npm install dladmm
import { fit } from 'dladmm';

const [file = 'houses.csv', target = 'price'] = process.argv.slice(2);
const { model, report } = await fit(file, { target });
console.log(String(report));
console.log(model.describe());
await model.save('houses.safetensors');
