export const handler = async (event, context) => {
  console.error('rehearsal %s', context.functionName);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return { event };
};

export async function* stream() {
  yield 'one';
  yield { two: 2 };
}
