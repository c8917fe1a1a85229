export interface User {
  id: number;
  name: string;
}

export async function loadUser(id: number): Promise<User> {
  const response = await fetch(`/api/users/${id}`);
  if (!response.ok) {
    throw new Error(`user ${id}: ${response.status}`);
  }
  const user = aw<|cursor|>
  return user as User;
}

export async function loadUsers(ids: number[]): Promise<User[]> {
  return Promise.all(ids.map((id) => loadUser(id)));
}
