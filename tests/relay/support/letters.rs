//! Text that hardly gets smaller when it is compressed.

/// So many of 64 letters, in no order.
pub(crate) fn letters(many: usize) -> String {
    let all: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').chain("-_".chars()).collect();
    let mut state = 1_u64;
    let letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all[usize::try_from(state >> 58).unwrap()]
    };
    std::iter::repeat_with(letter).take(many).collect()
}
