// What stands between a codec and the engine: built-in objects without chance, clock and shared state.
//
// Evaluated once a context; the codec stands behind 10,000 empty lines, so that its lines can be told from these.
// Gives a function of (script, variables, whether the script starts anew with each call), which gives a function of
// (JSON text of [bytes, fPort, recvTime in milliseconds]) that answers with JSON text {data, warnings,
// errors} or {thrown}.
(function () {
  "use strict";
  const { parse, stringify } = JSON;
  const { getOwnPropertyDescriptor, getPrototypeOf, defineProperty, freeze } = Object;
  const { construct, ownKeys } = Reflect;
  const Moment = Date;
  const Text = String;
  const ErrorType = Error;
  const { isArray } = Array;
  const finite = Number.isFinite;
  const LARGEST_RESULT = 65536;
  const FIRST_LINE = 10000;
  const lines = /<input>:(1\d{4}):/;
  const NOT_FOR_CODECS = [
    "Atomics", "FinalizationRegistry", "SharedArrayBuffer", "WeakRef", "gc", "navigator", "performance", "print",
    "queueMicrotask",
  ];
  let now = 0;

  function Clock(...parts) {
    if (new.target === undefined) return new Moment(now).toString();
    return construct(Moment, parts.length ? parts : [now], new.target);
  }

  function takeAwayChanceAndClock() {
    for (const name of NOT_FOR_CODECS) delete globalThis[name];
    delete Math.random;
    Clock.prototype = Moment.prototype;
    Moment.prototype.constructor = Clock;
    for (const name of ["UTC", "parse"]) defineProperty(Clock, name, { value: Moment[name] });
    defineProperty(Clock, "now", { value: () => now });
    defineProperty(globalThis, "Date", { value: Clock, writable: true, configurable: true });
    const silent = () => {};
    globalThis.console = { log: silent, info: silent, warn: silent, error: silent, debug: silent };
  }

  // A frozen prototype must not forbid that an object of its own kind has a property of the same name.
  function allowOwn(prototype) {
    for (const key of ownKeys(prototype)) {
      const { value, enumerable, configurable } = getOwnPropertyDescriptor(prototype, key);
      if (value === undefined || !configurable) continue;
      defineProperty(prototype, key, {
        enumerable,
        get: () => value,
        set(other) {
          if (this === prototype) throw new TypeError("built-in objects are frozen");
          defineProperty(this, key, { value: other, writable: true, enumerable: true, configurable: true });
        },
      });
    }
  }

  function freezeAll() {
    for (const prototype of [Object.prototype, Error.prototype, RangeError.prototype, TypeError.prototype]) {
      allowOwn(prototype);
    }
    const seen = new Set();
    const waiting = [(function* () {}).prototype, (async () => {}).constructor];
    for (const key of ownKeys(globalThis)) waiting.push(globalThis[key]);
    while (waiting.length) {
      const thing = waiting.pop();
      if (thing === globalThis || seen.has(thing)) continue;
      if (typeof thing !== "function" && (typeof thing !== "object" || thing === null)) continue;
      seen.add(thing);
      for (const key of ownKeys(thing)) {
        const { value, get, set } = getOwnPropertyDescriptor(thing, key);
        waiting.push(value, get, set);
      }
      waiting.push(getPrototypeOf(thing));
      freeze(thing);
    }
  }

  function named(key, value) {
    return typeof value === "number" && !finite(value) ? Text(value) : value;
  }

  function texts(said) {
    return said === undefined || said === null ? [] : (isArray(said) ? said : [said]).slice(0, 20).map(Text);
  }

  function answer(said) {
    const result = { data: said.data, warnings: texts(said.warnings), errors: texts(said.errors) };
    let text = stringify(result);
    // JSON writes what is no number as null
    if (text.includes("null")) text = stringify(result, named);
    if (text.length > LARGEST_RESULT) throw new RangeError(`the result has more than ${LARGEST_RESULT} characters`);
    return text;
  }

  function checked(said) {
    if (typeof said !== "object" || said === null || isArray(said)) {
      throw new TypeError("decodeUplink must return an object {data, warnings, errors}");
    }
    if (said instanceof Promise) throw new TypeError("decodeUplink must return its result at once, not a Promise");
    return said;
  }

  function decode(functions, input) {
    const { decodeUplink, Decoder, Decode } = functions;
    if (typeof decodeUplink === "function") return checked(decodeUplink(input));
    if (typeof Decoder === "function") return { data: Decoder(input.bytes, input.fPort) };
    if (typeof Decode === "function") return { data: Decode(input.fPort, input.bytes, input.variables) };
    throw new TypeError("the codec defines no function decodeUplink(input)");
  }

  function thrown(error) {
    let said, place;
    try {
      said = Text(error).slice(0, 300);
      place = error instanceof ErrorType ? lines.exec(error.stack) : null;
    } catch (another) {
      said = "an error that cannot be shown";
    }
    return stringify({ thrown: place ? `${said}, line ${place[1] - FIRST_LINE}` : said });
  }

  takeAwayChanceAndClock();
  return function (script, variables, anew) {
    function defined() {
      const module = { exports: {} };
      return script(module, module.exports);
    }
    let kept;
    try {
      kept = defined();
    } catch (whatever) {
      // loaded once before all is frozen, so that a codec may add what an old engine lacks
    }
    freezeAll();
    const functions = anew || !kept ? defined : () => kept;
    const known = new Set(ownKeys(globalThis));
    return function (text) {
      try {
        const [bytes, fPort, received] = parse(text);
        now = received;
        const input = { bytes, fPort, recvTime: new Moment(received), variables: parse(variables) };
        return answer(decode(functions(), input));
      } catch (error) {
        return thrown(error);
      } finally {
        for (const key in globalThis) if (!known.has(key)) delete globalThis[key];
      }
    };
  };
})();
