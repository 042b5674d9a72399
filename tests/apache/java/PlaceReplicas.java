import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.metadata.placement.ClusterDescriber;
import org.apache.kafka.metadata.placement.PlacementSpec;
import org.apache.kafka.metadata.placement.StripedReplicaPlacer;
import org.apache.kafka.metadata.placement.UsableBroker;

/** Reads clusters, one JSON object a line, and prints where the release puts the replicas, given dice that always show the same number. */
public class PlaceReplicas {
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode given = mapper.readTree(line);
            List<UsableBroker> brokers = new ArrayList<>();
            given.get("brokers").forEach(each -> brokers.add(new UsableBroker(each.get(0).asInt(),
                Optional.ofNullable(each.get(1).isNull() ? null : each.get(1).asText()), each.get(2).asBoolean())));
            int shown = given.get("dice").asInt();
            Random dice = new Random() {
                @Override
                public int nextInt(int bound) {
                    return shown % bound;
                }
            };
            ClusterDescriber cluster = new ClusterDescriber() {
                @Override
                public Iterator<UsableBroker> usableBrokers() {
                    return brokers.iterator();
                }

                @Override
                public Uuid defaultDir(int broker) {
                    return Uuid.ZERO_UUID;
                }
            };
            List<List<Integer>> placed = new ArrayList<>();
            try {
                new StripedReplicaPlacer(dice).place(new PlacementSpec(0, given.get("partitions").asInt(), (short) given.get("factor").asInt()), cluster)
                    .assignments().forEach(each -> placed.add(each.replicas()));
                System.out.println(mapper.writeValueAsString(placed));
            } catch (RuntimeException e) {
                System.out.println("null");
            }
        }
    }
}
