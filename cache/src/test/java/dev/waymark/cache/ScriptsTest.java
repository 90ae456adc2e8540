package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import org.junit.jupiter.api.Test;

class ScriptsTest {
  @Test
  void guardIsCutOutOfEveryScriptThatHasIt() {
    Scripts plain = Scripts.plain();
    Scripts cut = Scripts.without(List.of("epoch"));

    assertThat(plain.read).contains("-- guard: epoch");
    assertThat(cut.read).doesNotContain("-- guard: epoch").contains("-- guard: incarnation");
    assertThat(cut.fill).doesNotContain("-- guard: epoch").contains("-- guard: snapshot");
    assertThat(cut.settle).doesNotContain("-- guard: epoch");
    assertThat(cut.beat).contains("-- guard: incarnation");
  }

  @Test
  void guardThatNoScriptHasIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Scripts.without(List.of("epoch", "belt")))
        .withMessage("No script has a guard named [belt]");
  }
}
