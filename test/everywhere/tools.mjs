// The set-up of a drill, a project of vitest that has the name of its folder.
import { installTools } from '../../scripts/tools/install.mjs';

export default ({ name }) => void installTools(`test/everywhere/${name}`);
