import { readFileSync, writeFileSync } from "node:fs";

export interface Task {
  title: string;
  done: boolean;
}

export function readTasks(path: string): Task[] {
  return JSON.parse(readFileSync(path, "utf8")) as Task[];
}

export function writeTasks(path: string, tasks: Task[]): void {
  writeFileSync(<|cursor|>);
}

export function finish(tasks: Task[], title: string): Task[] {
  return tasks.map((task) => (task.title === title ? { ...task, done: true } : task));
}
