import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.metadata.PartitionChangeRecord;
import org.apache.kafka.common.metadata.PartitionChangeRecordJsonConverter;
import org.apache.kafka.controller.PartitionChangeBuilder;
import org.apache.kafka.metadata.LeaderRecoveryState;
import org.apache.kafka.metadata.PartitionRegistration;
import org.apache.kafka.server.common.ApiMessageAndVersion;
import org.apache.kafka.server.common.MetadataVersion;

/** Reads partitions and what is to become of them, one JSON object a line; prints the record that the release makes of each, or null. */
public class ChangePartitions {
    static List<Integer> list(JsonNode node) {
        List<Integer> result = new ArrayList<>();
        node.forEach(each -> result.add(each.asInt()));
        return result;
    }

    static int[] array(JsonNode node) {
        return list(node).stream().mapToInt(each -> each).toArray();
    }

    static Uuid directory(int replica) {
        return new Uuid(1000L + replica, 7L);
    }

    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode given = mapper.readTree(line);
            JsonNode was = given.get("partition");
            int[] replicas = array(was.get("replicas"));
            Uuid[] directories = new Uuid[replicas.length];
            for (int i = 0; i < replicas.length; i++) directories[i] = directory(replicas[i]);
            PartitionRegistration partition = new PartitionRegistration.Builder().
                setReplicas(replicas).setDirectories(directories).setIsr(array(was.get("isr"))).
                setRemovingReplicas(array(was.get("removing"))).setAddingReplicas(array(was.get("adding"))).
                setElr(array(was.get("elr"))).setLastKnownElr(array(was.get("lastKnownElr"))).
                setLeader(was.get("leader").asInt()).setLeaderRecoveryState(LeaderRecoveryState.of((byte) was.get("recovery").asInt())).
                setLeaderEpoch(5).setPartitionEpoch(9).build();
            Set<Integer> acceptable = new HashSet<>(list(given.get("acceptable")));
            PartitionChangeBuilder builder = new PartitionChangeBuilder(partition, new Uuid(3, 4), 0, acceptable::contains,
                MetadataVersion.fromFeatureLevel((short) given.get("level").asInt()), given.get("minIsr").asInt(), given.get("elrEnabled").asBoolean());
            builder.setElection(PartitionChangeBuilder.Election.valueOf(given.get("election").asText()));
            builder.setTargetIsr(list(given.get("isr"))).setTargetReplicas(list(given.get("replicas")));
            builder.setTargetRemoving(list(given.get("removing"))).setTargetAdding(list(given.get("adding")));
            builder.setTargetLeaderRecoveryState(LeaderRecoveryState.of((byte) given.get("recovery").asInt()));
            if (given.get("unclean").asInt() >= 0) builder.setUncleanShutdownReplicas(List.of(given.get("unclean").asInt()));
            builder.setDefaultDirProvider(ChangePartitions::directory);
            Optional<ApiMessageAndVersion> record;
            try {
                record = builder.build();
            } catch (RuntimeException e) {
                System.out.println(mapper.writeValueAsString(e.toString()));
                continue;
            }
            System.out.println(record.isEmpty() ? "null" :
                PartitionChangeRecordJsonConverter.write((PartitionChangeRecord) record.get().message(), record.get().version()).toString());
        }
    }
}
