// The Responses protocol as its vendor publishes it, and as chat completions tell the same generations.
import { refusals, sameByAll, variants } from "./conformance-suite.mjs";
import { chat, responses } from "./corpus.mjs";

sameByAll({ chat, responses });
variants({ responses });
refusals({ responses });
