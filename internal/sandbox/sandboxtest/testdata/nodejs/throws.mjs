const begin = () => {
  throw new Error('not today');
};

begin();

export const handler = async () => 1;
