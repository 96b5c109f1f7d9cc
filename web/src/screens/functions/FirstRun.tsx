import { CodeBlock } from '../../components/CodeBlock';
import { EmptyState } from '../../components/states';

export function FirstRun() {
  return (
    <div id="empty">
      <EmptyState title="No functions yet">
        Write one and deploy it:
        <CodeBlock
          text={`echo 'def handler(event, context): return {"hello": event.get("name", "world")}' > main.py\nhearth deploy main.py --name hello`}
        />
      </EmptyState>
    </div>
  );
}
