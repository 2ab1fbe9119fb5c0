import { drill, tell } from './drill.mjs';

tell(drill());
