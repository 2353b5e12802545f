// Answers come late and overtake each other: of things asked one after the other only the last counts.

// What it gives begins a turn; what a turn gives tells whether no other has begun since.
export function turns() {
  let last = 0;
  return () => {
    const mine = (last += 1);
    return () => mine === last;
  };
}
