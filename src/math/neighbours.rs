//! The nearest of points in a plane by a k-d tree.
//!
//! On a grid many points are equally far, and which of them are among the nearest is a matter of the order in which a tree is
//! searched. This one is built and searched in the order of scipy's `cKDTree` (1.17, balanced and compact, as built with
//! libstdc++), so that the same points are found, in the same order.

/// Most points of a leaf, as photutils asks for.
const LEAF: usize = 10;

/// A place.
pub type Point = [f64; 2];

/// Points, ready to be searched.
pub struct Tree<'a> {
    points: &'a [Point],
    /// Indices of points, leaf after leaf.
    order: Vec<usize>,
    root: Node,
    low: Point,
    high: Point,
}

enum Node {
    /// A range of the order.
    Leaf(usize, usize),
    /// Points below a value along an axis, and the others.
    Inner {
        axis: usize,
        split: f64,
        children: Box<[Node; 2]>,
    },
}

/// A part of the tree that may hold near points.
#[derive(Clone)]
struct Part<'a> {
    node: &'a Node,
    /// Squared distance to it along each axis.
    sides: Point,
    /// Their sum.
    distance: f64,
}

impl<'a> Tree<'a> {
    /// A tree of points with finite coordinates.
    pub fn new(points: &'a [Point]) -> Self {
        let mut order: Vec<usize> = (0..points.len()).collect();
        let (low, high) = bounds(points, &order);
        let root = grow(points, &mut order, 0);
        Self {
            points,
            order,
            root,
            low,
            high,
        }
    }

    /// The `count` points (or all, if they are fewer) nearest to a place, nearest first, with their squared distances.
    pub fn nearest(&self, place: Point, count: usize) -> Vec<(usize, f64)> {
        let sides: Point = std::array::from_fn(|d| {
            let beyond = (self.low[d] - place[d]).max(place[d] - self.high[d]);
            beyond.max(0.0).powi(2)
        });
        let mut part = Part {
            node: &self.root,
            sides,
            distance: sides[0] + sides[1],
        };
        let (mut parts, mut found) = (Heap::default(), Heap::default());
        let mut reach = if count == 0 { 0.0 } else { f64::INFINITY };
        loop {
            match part.node {
                Node::Leaf(first, last) => {
                    for index in &self.order[*first..*last] {
                        let [dy, dx] = [0, 1].map(|d| self.points[*index][d] - place[d]);
                        let distance = dy * dy + dx * dx;
                        if distance < reach {
                            if found.0.len() == count {
                                found.pop();
                            }
                            found.push(-distance, *index);
                            if found.0.len() == count {
                                reach = -found.0[0].0;
                            }
                        }
                    }
                    match parts.pop() {
                        Some((_, next)) => part = next,
                        None => break,
                    }
                }
                Node::Inner {
                    axis,
                    split,
                    children,
                } => {
                    if part.distance > reach {
                        break;
                    }
                    let below = place[*axis] < *split;
                    let mut far = part.clone();
                    part.node = &children[usize::from(!below)];
                    far.node = &children[usize::from(below)];
                    let side = (split - place[*axis]).powi(2);
                    far.distance += side - far.sides[*axis];
                    far.sides[*axis] = side;
                    if part.distance > far.distance {
                        std::mem::swap(&mut part, &mut far);
                    }
                    if far.distance <= reach {
                        parts.push(far.distance, far);
                    }
                }
            }
        }
        let farthest_first = std::iter::from_fn(|| found.pop()).map(|(d, index)| (index, -d));
        let mut nearest: Vec<(usize, f64)> = farthest_first.collect();
        nearest.reverse();
        nearest
    }
}

/// The smallest and the largest coordinates of some points.
fn bounds(points: &[Point], order: &[usize]) -> (Point, Point) {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for index in order {
        for d in 0..2 {
            low[d] = low[d].min(points[*index][d]);
            high[d] = high[d].max(points[*index][d]);
        }
    }
    (low, high)
}

/// The tree of points whose order begins at `first`; the order is rearranged.
fn grow(points: &[Point], order: &mut [usize], first: usize) -> Node {
    let n = order.len();
    let (low, high) = bounds(points, order);
    let axis = usize::from(high[1] - low[1] > high[0] - low[0]);
    if n <= LEAF || low[axis] == high[axis] {
        return Node::Leaf(first, first + n);
    }
    let value = |index: usize| points[index][axis];
    select(order, n / 2, &value);
    let mut split = value(order[n / 2]);
    let mut below = part(&mut order[..n / 2], |index| value(index) < split);
    if below == 0 {
        // no point is below the median: part the lowest from the others
        split = low[axis].next_up();
        below = part(order, |index| value(index) < split);
    }
    let (less, greater) = order.split_at_mut(below);
    let children = [
        grow(points, less, first),
        grow(points, greater, first + below),
    ];
    Node::Inner {
        axis,
        split,
        children: Box::new(children),
    }
}

/// Brings those for which `wanted` holds to the front, from both ends at once; how many they are.
fn part(order: &mut [usize], wanted: impl Fn(usize) -> bool) -> usize {
    let (mut front, mut back) = (0, order.len());
    loop {
        while front < back && wanted(order[front]) {
            front += 1;
        }
        while front < back && !wanted(order[back - 1]) {
            back -= 1;
        }
        if front == back {
            return front;
        }
        back -= 1;
        order.swap(front, back);
        front += 1;
    }
}

/// Brings the element of rank `nth` by value to its place, smaller ones before it, larger ones behind it.
fn select(order: &mut [usize], nth: usize, value: &impl Fn(usize) -> f64) {
    let less = |a: usize, b: usize| value(a) < value(b);
    let (mut first, mut last) = (0, order.len());
    let mut depth = 2 * order.len().max(1).ilog2();
    while last - first > 3 {
        if depth == 0 {
            break;
        }
        depth -= 1;
        let cut = first + pivoted(&mut order[first..last], &less);
        match cut <= nth {
            true => first = cut,
            false => last = cut,
        }
    }
    order[first..last].sort_by(|a, b| value(*a).total_cmp(&value(*b)));
}

/// Parts a range about the median of three of its elements, which stays in front; where the upper part begins.
fn pivoted(order: &mut [usize], less: &impl Fn(usize, usize) -> bool) -> usize {
    let (a, b, c) = (1, order.len() / 2, order.len() - 1);
    let [va, vb, vc] = [order[a], order[b], order[c]];
    let middle = if less(va, vb) {
        match (less(vb, vc), less(va, vc)) {
            (true, _) => b,
            (_, true) => c,
            _ => a,
        }
    } else {
        match (less(va, vc), less(vb, vc)) {
            (true, _) => a,
            (_, true) => c,
            _ => b,
        }
    };
    order.swap(0, middle);
    let (pivot, mut front, mut back) = (order[0], 1, order.len());
    loop {
        while less(order[front], pivot) {
            front += 1;
        }
        back -= 1;
        while less(pivot, order[back]) {
            back -= 1;
        }
        if front >= back {
            return front;
        }
        order.swap(front, back);
        front += 1;
    }
}

/// What has the lowest number comes first.
struct Heap<T>(Vec<(f64, T)>);

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Heap<T> {
    fn push(&mut self, number: f64, item: T) {
        self.0.push((number, item));
        let mut at = self.0.len() - 1;
        while at > 0 && self.0[at].0 < self.0[(at - 1) / 2].0 {
            self.0.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    fn pop(&mut self) -> Option<(f64, T)> {
        if self.0.is_empty() {
            return None;
        }
        let first = self.0.swap_remove(0);
        let number = |at: usize| self.0.get(at).map_or(f64::INFINITY, |item| item.0);
        let mut path = Vec::new();
        let (mut at, moved) = (0, number(0));
        loop {
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let child = if number(left) > number(right) {
                right
            } else {
                left
            };
            if child >= self.0.len() || moved <= number(child) {
                break;
            }
            path.push((at, child));
            at = child;
        }
        path.into_iter().for_each(|(a, b)| self.0.swap(a, b));
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of a grid of `ny` x `nx` that a rule leaves.
    fn grid(ny: usize, nx: usize, kept: impl Fn(usize) -> bool) -> Vec<Point> {
        let points = (0..ny * nx).filter(|i| kept(*i));
        points.map(|i| [(i / nx) as f64, (i % nx) as f64]).collect()
    }

    fn indices(tree: &Tree<'_>, place: Point, count: usize) -> Vec<usize> {
        tree.nearest(place, count).iter().map(|n| n.0).collect()
    }

    #[test]
    fn the_points_that_scipy_finds_among_equally_far_ones() {
        let points = grid(12, 9, |i| i * 7 % 11 > 4);
        let tree = Tree::new(&points);
        // scipy.spatial.cKDTree(points, leafsize=10).query(place, k=10)
        for (place, want) in [
            ([0.0, 0.0], SCIPY[0]),
            ([5.0, 4.0], SCIPY[1]),
            ([11.0, 8.0], SCIPY[2]),
        ] {
            assert_eq!(indices(&tree, place, 10), want, "{place:?}");
        }
    }

    const SCIPY: [[usize; 10]; 3] = [
        [0, 5, 10, 11, 1, 15, 6, 16, 2, 19],
        [27, 31, 26, 22, 21, 32, 36, 17, 25, 28],
        [58, 53, 48, 57, 43, 52, 42, 47, 56, 51],
    ];

    #[test]
    fn distances_are_those_of_a_search_through_all() {
        let points = grid(30, 41, |i| i * i % 97 < 13);
        let tree = Tree::new(&points);
        for place in [[3.0, 3.0], [29.0, 0.0], [-8.0, 50.5], [14.2, 20.9]] {
            let square = |p: &Point| (p[0] - place[0]).powi(2) + (p[1] - place[1]).powi(2);
            let mut all: Vec<f64> = points.iter().map(square).collect();
            all.sort_by(f64::total_cmp);
            let found: Vec<f64> = tree.nearest(place, 10).iter().map(|n| n.1).collect();
            assert_eq!(found, all[..10], "{place:?}");
        }
    }

    #[test]
    fn most_points_in_the_first_column_and_all_alike() {
        let points = grid(40, 3, |i| i % 3 == 0 || i == 4);
        let tree = Tree::new(&points);
        assert_eq!(tree.nearest([1.0, 1.0], 1)[0].1, 0.0);
        let alike = [[2.0, 5.0]; 30];
        assert_eq!(Tree::new(&alike).nearest([2.0, 4.0], 40).len(), 30);
        assert!(Tree::new(&[]).nearest([0.0, 0.0], 10).is_empty());
        assert!(Tree::new(&alike).nearest([2.0, 4.0], 0).is_empty());
    }
}
