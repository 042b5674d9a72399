import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/** Prints the release's error codes and API keys, one a line, fields parted by tabs. */
public class DescribeProtocol {
    public static void main(String[] arguments) {
        for (Errors error : Errors.values()) {
            System.out.println(String.join("\t", "error", error.name(), "" + error.code(), "" + (error.exception() instanceof RetriableException), error.message()));
        }
        for (ApiKeys key : ApiKeys.values()) {
            if (!key.hasValidVersion()) continue;
            String listeners = key.messageType.listeners().stream().map(each -> each.name()).sorted().collect(Collectors.joining(","));
            String headers = key.allVersions().stream()
                .map(version -> version + ":" + key.requestHeaderVersion(version) + ":" + key.responseHeaderVersion(version)).collect(Collectors.joining(","));
            System.out.println(String.join("\t", "api", key.name, "" + key.id, "" + key.oldestVersion(), "" + key.latestVersion(false), listeners, headers));
        }
    }
}
