// Runs a test's cleanup steps in reverse order: clients end before the daemon, and the daemon before its node.

const stacks = new WeakMap();

export function atEnd(t, undo) {
  if (!stacks.has(t)) {
    const stack = [];
    stacks.set(t, stack);
    t.after(async () => {
      const failures = [];
      while (stack.length) {
        try {
          await stack.pop()();
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length) throw failures[0];
    });
  }
  stacks.get(t).push(undo);
}
