-- Whatever one provisioning should have written together but did not: a thing that lacks a part, an ACTIVE (0) certificate
-- with a thing but no policy or the other way round (the claim certificate has its own policy), a signature without its
-- ledger row.
SELECT 'thing ' || t.name FROM things t
WHERE t.type IS NULL
   OR t.attributes IS NULL
   OR NOT EXISTS (SELECT 1 FROM thing_group_members m WHERE m.thing = t.key)
   OR NOT EXISTS (SELECT 1 FROM thing_principals p JOIN certificates c ON c.key = p.certificate
                  JOIN certificate_policies a ON a.certificate = c.key
                  WHERE p.thing = t.key AND c.status = 0);
SELECT 'certificate ' || hex(c.id) FROM certificates c
WHERE c.status = 0
  AND NOT EXISTS (SELECT 1 FROM certificate_policies a JOIN policies p ON p.key = a.policy
                  WHERE a.certificate = c.key AND p.name = 'fleet-provisioning_Policy')
  AND (NOT EXISTS (SELECT 1 FROM thing_principals p WHERE p.certificate = c.key)
       OR NOT EXISTS (SELECT 1 FROM certificate_policies a WHERE a.certificate = c.key));
SELECT 'pending certificate with a thing ' || hex(c.id) FROM certificates c
WHERE c.status <> 0 AND EXISTS (SELECT 1 FROM thing_principals p WHERE p.certificate = c.key);
SELECT 'signature without ledger row ' || s.sequence FROM signed s
WHERE NOT EXISTS (SELECT 1 FROM issued i WHERE i.sequence = s.sequence);
