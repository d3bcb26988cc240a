//! Minimum of a function of one variable by the simplex method of Nelder and Mead, in single precision.
//!
//! Follows `scipy.optimize.minimize(method="Nelder-Mead")` for a start in single precision to the last bit:
//! the two points of the simplex are kept in that precision.

/// Most evaluations, and most rounds: scipy's default for one variable.
const MOST: usize = 200;
/// The points are this close at the end.
const CLOSE: f32 = 1e-4;
/// And so are the values.
const FLAT: f64 = 1e-4;

/// A point and the function there.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    x: f32,
    f: f64,
}

/// The function with the number of evaluations that are left.
struct Counted<F> {
    f: F,
    left: usize,
}

impl<F: FnMut(f32) -> f64> Counted<F> {
    fn at(&mut self, x: f32) -> Option<Vertex> {
        self.left = self.left.checked_sub(1)?;
        Some(Vertex { x, f: (self.f)(x) })
    }
}

/// Where the function is smallest, sought from `start`.
pub fn minimum(start: f32, f: impl FnMut(f32) -> f64) -> f32 {
    let second = if start == 0.0 { 0.00025 } else { 1.05 * start };
    let mut f = Counted { f, left: MOST };
    let (Some(mut best), Some(mut worst)) = (f.at(start), f.at(second)) else {
        return start;
    };
    for _ in 1..MOST {
        sort(&mut best, &mut worst);
        if f.left == 0 {
            break;
        }
        if (worst.x - best.x).abs() <= CLOSE && (best.f - worst.f).abs() <= FLAT {
            break;
        }
        if round(best, &mut worst, &mut f).is_none() {
            break;
        }
    }
    sort(&mut best, &mut worst);
    best.x
}

/// The lower value first, NaN last; order kept where equal.
fn sort(best: &mut Vertex, worst: &mut Vertex) {
    if worst.f < best.f || best.f.is_nan() && !worst.f.is_nan() {
        std::mem::swap(best, worst);
    }
}

/// Moves the worse point; none where no evaluation is left.
fn round(best: Vertex, worst: &mut Vertex, f: &mut Counted<impl FnMut(f32) -> f64>) -> Option<()> {
    let reflected = f.at(2.0 * best.x - worst.x)?;
    if reflected.f < best.f {
        let expanded = f.at(3.0 * best.x - 2.0 * worst.x)?;
        *worst = if expanded.f < reflected.f {
            expanded
        } else {
            reflected
        };
        return Some(());
    }
    let outside = reflected.f < worst.f;
    let contracted = if outside {
        f.at(1.5 * best.x - 0.5 * worst.x)?
    } else {
        f.at(0.5 * best.x + 0.5 * worst.x)?
    };
    let better = if outside {
        contracted.f <= reflected.f
    } else {
        contracted.f < worst.f
    };
    if better {
        *worst = contracted;
    } else {
        worst.x = best.x + 0.5 * (worst.x - best.x);
        *worst = f.at(worst.x)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottom_of_a_parabola() {
        // minimize(lambda x: ((x - np.float32(0.7)) ** 2).item(), x0=np.float32(1.3), method="Nelder-Mead").x
        let at = minimum(1.3, |x| f64::from((x - 0.7) * (x - 0.7)));
        assert_eq!(at.to_bits(), 0.7000201f32.to_bits(), "{at:?}");
        let at = minimum(0.0, |x| f64::from((x + 3.0) * (x + 3.0)));
        assert!((at + 3.0).abs() < 1e-3, "{at}");
    }

    #[test]
    fn functions_that_are_no_numbers_end() {
        assert_eq!(minimum(2.0, |_| f64::NAN), 2.0);
        let mut calls = 0;
        minimum(1.0, |x| {
            calls += 1;
            f64::from(-x)
        });
        assert!(calls <= MOST);
    }
}
