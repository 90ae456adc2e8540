package dev.waymark.cache.model;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * How far the models are searched: {@code -Dmodel.bounds=large} for more of everything than a build
 * has time for.
 */
final class Bounds {
  private static final boolean LARGE = "large".equals(System.getProperty("model.bounds"));
  private static final int LIMIT = LARGE ? 20_000_000 : 5_000_000;

  private Bounds() {}

  static <T> T choose(T small, T large) {
    return LARGE ? large : small;
  }

  static void assertClean(Search.Model model) {
    Search.Verdict verdict = search(model);
    assertThat(verdict.broken()).as(verdict.toString()).isEmpty();
    // A search at large bounds may end at its limit, and says so.
    assertThat(verdict.complete() || LARGE).as(verdict.toString()).isTrue();
  }

  static void assertBroken(Search.Model model) {
    assertThat(search(model).broken()).isPresent();
  }

  private static Search.Verdict search(Search.Model model) {
    Search.Verdict verdict = Search.of(model, LIMIT);
    String test =
        StackWalker.getInstance()
            .walk(
                frames ->
                    frames
                        .filter(frame -> frame.getClassName().contains("ModelsIT$"))
                        .reduce((first, second) -> second)
                        .orElseThrow())
            .getMethodName();
    System.out.println("model: " + test + ": " + verdict);
    return verdict;
  }
}
